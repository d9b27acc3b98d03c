//! Promise: a wrong configuration is told with what, where and how to mend it, and with exit code 2.

mod support;

use std::fs;
use support::{stopbank, succeed};

fn validate(text: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stopbank.toml");
    fs::write(&path, text).unwrap();
    let output = stopbank(&["validate", "--config", path.to_str().unwrap()]).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_init_writes_is_valid_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stopbank.toml");
    let path = path.to_str().unwrap();
    succeed(&mut stopbank(&["init", path]));
    succeed(&mut stopbank(&["validate", "--config", path]));
    let again = stopbank(&["init", path]).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already"));
}

#[test]
fn an_unknown_key_is_named_with_file_line_and_suggestion() {
    let (code, told) = validate("[engine]\nmode = \"observe\"\nleese = \"15s\"\n");
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("stopbank.toml:3:1") && told.contains("did you mean `lease`?"), "{told}");
}

#[test]
fn a_wrong_unit_is_named_with_line_and_suggestion() {
    let (code, told) = validate("[window]\ngrace = \"500 millis\"\n");
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("stopbank.toml:2:") && told.contains("\"500ms\""), "{told}");
}

#[test]
fn a_property_that_librdkafka_does_not_know_is_named() {
    let (code, told) = validate("[kafka.consumer]\n\"fetch.min.byte\" = \"1\"\n");
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("fetch.min.byte") && told.contains("fetch.min.bytes"), "{told}");
}

#[test]
fn a_misspelt_variable_is_an_error_and_the_environment_alone_is_enough() {
    let output = stopbank(&["validate"]).env("STOPBANK_BROKER", "a:1").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `STOPBANK_BROKERS`?"));
    succeed(stopbank(&["validate"]).env("STOPBANK_BROKERS", "a:1"));
}

#[test]
fn the_effective_configuration_hides_secrets() {
    let dump = succeed(
        stopbank(&["run", "--dump-config"])
            .env("STOPBANK_KAFKA_PROPERTIES", "sasl.username=me,sasl.password=hunter2")
            .env("STOPBANK_ADMIN_TOKEN", "hunter2")
            .env("STOPBANK_GROUP", "a-group"),
    );
    let dump = String::from_utf8_lossy(&dump.stdout);
    assert!(dump.contains("a-group") && dump.contains("\"me\""), "{dump}");
    assert!(!dump.contains("hunter2"), "{dump}");
}

#[test]
fn an_unreachable_broker_is_told_with_exit_code_3() {
    let output = stopbank(&["validate", "--connect"]).env("STOPBANK_BROKERS", "127.0.0.1:1").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("127.0.0.1:1"), "{told}");
}

#[test]
fn wrong_usage_has_exit_code_2_and_help_explains_the_first_steps() {
    assert_eq!(stopbank(&["no-such-command"]).output().unwrap().status.code(), Some(2));
    assert_eq!(stopbank(&["generate", "--rate", "5"]).output().unwrap().status.code(), Some(2));
    let help = succeed(&mut stopbank(&["--help"]));
    let help = String::from_utf8_lossy(&help.stdout);
    for word in ["demo", "run", "init", "Exit codes"] {
        assert!(help.contains(word), "{help}");
    }
}

#[test]
fn keys_are_made_once_and_the_private_one_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    succeed(&mut stopbank(&["keygen", "--name", "k", "--out", out]));
    let mode = fs::metadata(folder.path().join("k.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(fs::read_to_string(folder.path().join("k.pub")).unwrap().contains("role=engine"));
    assert_eq!(stopbank(&["keygen", "--name", "k", "--out", out]).output().unwrap().status.code(), Some(1));
}

#[test]
fn completions_and_schemas_are_printed() {
    let script = succeed(&mut stopbank(&["completions", "bash"]));
    assert!(String::from_utf8_lossy(&script.stdout).contains("_stopbank"));
    let schemas = succeed(&mut stopbank(&["schema"]));
    let schemas: serde_json::Value = serde_json::from_slice(&schemas.stdout).unwrap();
    assert!(schemas.as_object().unwrap().keys().any(|name| name.starts_with("command")), "{schemas}");
}
