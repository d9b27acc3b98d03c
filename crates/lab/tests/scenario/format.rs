//! What is wrong with a scenario file is said with its file, its line and how to mend it.

use lab::{Scenario, scenario};

fn error(from: &str, to: &str) -> String {
    let good = scenario::toml("steady").expect("it comes with the program");
    assert!(good.contains(from));
    let wrong = good.replacen(from, to, 1);
    Scenario::from_toml(&wrong).expect_err("the scenario is wrong").in_file("steady.toml").to_string()
}

#[test]
fn every_file_of_the_folder_is_built_in_named_like_its_file_and_good() {
    let folder = crate::path("crates/lab/scenarios");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut stems: Vec<String> = files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    stems.sort();
    assert_eq!(stems, scenario::names().collect::<Vec<_>>());
    for name in scenario::names() {
        let text = scenario::toml(name).unwrap();
        let scenario = Scenario::from_toml(text).unwrap_or_else(|error| panic!("{}", error.in_file(name)));
        assert_eq!(scenario.name(), name);
        assert!(scenario.onset_s() < scenario.cause_ends_s(), "{name}");
    }
}

#[test]
fn mistakes_are_named_with_file_line_and_suggestion() {
    for (from, to, parts) in [
        ("kind = \"benign\"", "kind = \"bening\"", &["steady.toml, line 6: ", "did you mean `benign`?"][..]),
        ("length_s", "lenght_s", &["line 8", "did you mean `length_s`?"]),
        ("onset_s = 20", "onset_s = 200", &["line 9", "within length_s"]),
        ("onset_s = 20", "bad = { good_below = 2 }", &["line 9", "good_below"]),
        ("onset_s = 20", "value = { CRITICAL_PLUSS = 2 }", &["line 9", "did you mean `CRITICAL_PLUS`?"]),
        ("must_not_act", "must_act", &["line 7", "does not fit", "benign: must_not_act"]),
        ("[scenario]", "[telemetry]", &["line 5", "unknown field"]),
    ] {
        let message = error(from, to);
        for part in parts {
            assert!(message.contains(part), "{to}: {message}");
        }
    }
    let topology = lab::builtin_toml("shop").expect("it comes with the program");
    let message = Scenario::from_toml(topology).expect_err("a topology is no scenario").to_string();
    assert!(message.contains("[scenario] is missing") && message.contains("docs/scenarios.md"), "{message}");
}
