//! `schemas/golden/`: exact bytes of every kind of record.

use crate::sample::{self, DOMAIN, ISSUED_MS, SEEDS, Sample, command, engine, operator, samples};
use crate::{check_file, schemas_dir};
use control::{
    AuditChain, Clamps, JOURNAL_HEADER, Key, Keyring, Kind, Me, OrderGate, Record, Role, Signer, Subscriber, Verdict,
    decode_audit, decode_claim, decode_command, decode_dead_letter, decode_finding, decode_journal_header,
    decode_report, parse_keyring, public_key_line, signature_input, verify_chain,
};
use serde_json::{Map, Value, json};

fn is_signed(record: &Record) -> bool {
    record.header("ce_signature").is_some()
}

fn value_file(sample: &Sample) -> String {
    let ending = if sample.name == "journal" { "value.bin" } else { "json" };
    format!("{}.{ending}", sample.name)
}

fn keyring_text() -> String {
    let engine = public_key_line(&engine().public(), Role::Engine);
    let operator = public_key_line(&operator().public(), Role::Operator);
    format!(
        "# The public keys of the golden files. Their seeds are published: good for tests only.\n{engine}{operator}"
    )
}

/// The index of the golden files.
fn index(samples: &[Sample]) -> Value {
    let key = |role: &str, seed: [u8; 32]| {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let signer = Signer::from_seed(seed);
        json!({ "role": role, "seed": hex(&seed), "public": hex(&signer.public()), "key_id": signer.key_id() })
    };
    let entry = |sample: &Sample| {
        let headers: Map<String, Value> =
            sample.record.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({
            "name": sample.name,
            "topic": sample.topic,
            "schema": sample.schema,
            "key": sample.record.key,
            "broker_ms": ISSUED_MS + 5,
            "headers": headers,
            "value": value_file(sample),
            "signature_input": is_signed(&sample.record).then(|| format!("{}.bin", sample.name)),
        })
    };
    json!({
        "domain": DOMAIN,
        "keys": [key("engine", SEEDS[0]), key("operator", SEEDS[1])],
        "records": samples.iter().map(entry).collect::<Vec<_>>(),
    })
}

#[test]
fn golden_files_are_what_the_code_writes() {
    let samples = samples();
    for sample in &samples {
        check_file(&format!("golden/{}", value_file(sample)), &sample.record.value);
        if is_signed(&sample.record) {
            let kind = sample.record.kind().unwrap();
            let input = signature_input(kind, &sample.record.key, &sample.record.value);
            check_file(&format!("golden/{}.bin", sample.name), &input);
        }
    }
    check_file("golden/keyring.txt", keyring_text().as_bytes());
    let text = serde_json::to_string_pretty(&index(&samples)).unwrap() + "\n";
    check_file("golden/index.json", text.as_bytes());
}

/// The records as a stranger reads them: from the files alone.
fn from_files() -> Vec<(String, String, Record)> {
    let read = |file: &str| std::fs::read(schemas_dir("golden").join(file)).unwrap();
    let index: Value = serde_json::from_slice(&read("index.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let record = |entry: &Value| {
        let headers = entry["headers"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value)));
        let value = read(entry["value"].as_str().unwrap());
        let record = Record { key: text(&entry["key"]), value, headers: headers.collect() };
        (text(&entry["name"]), text(&entry["schema"]), record)
    };
    index["records"].as_array().unwrap().iter().map(record).collect()
}

fn keyring() -> Keyring {
    parse_keyring(&std::fs::read_to_string(schemas_dir("golden/keyring.txt")).unwrap()).unwrap()
}

#[test]
fn golden_files_are_decoded_and_verified() {
    let mut gate = OrderGate::new(DOMAIN, keyring());
    let mut links = Vec::new();
    for (name, _, record) in from_files() {
        let kind = record.kind().unwrap();
        match kind {
            Kind::Command | Kind::Proposal => {
                let (epoch, decoded) = decode_command(&record).unwrap().into_command();
                assert_eq!(engine().command(DOMAIN, epoch, &decoded, ISSUED_MS).value, record.value, "{name}");
                assert!(keyring().verify_strict(kind, &record).is_ok(), "{name}");
            }
            Kind::Finding => assert_eq!(decode_finding(&record).unwrap().subject, "cart"),
            Kind::Report => assert!(decode_report(&record).unwrap().obeys(&command())),
            Kind::Order => assert!(gate.offer(&record, ISSUED_MS).is_ok(), "{name}"),
            Kind::Audit => {
                assert_eq!(decode_audit(&record).unwrap().index, links.len() as u64);
                links.push(record);
            }
            Kind::Claim => assert_eq!(decode_claim(&record).unwrap().owner, "host-a/4711"),
            Kind::Journal => assert_eq!(decode_journal_header(&record).unwrap().index, 1207),
            Kind::DeadLetter => assert_eq!(decode_dead_letter(&record).unwrap().offset, 99),
        }
    }
    let head = verify_chain(&links, &keyring()).unwrap();
    assert_eq!(AuditChain::after(&links[1]).unwrap().head(), head);
}

#[test]
fn golden_files_validate_against_their_schema() {
    for (name, file, record) in from_files() {
        let schema: Value = serde_json::from_slice(&std::fs::read(schemas_dir(&file)).unwrap()).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let text = record.header(JOURNAL_HEADER).map_or(record.value.clone(), |header| header.as_bytes().to_vec());
        let value: Value = serde_json::from_slice(&text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

#[test]
fn what_a_schema_forbids_the_decoder_refuses_too() {
    let schema: Value = serde_json::from_slice(&std::fs::read(schemas_dir("command.schema.json")).unwrap()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let good: Value = serde_json::from_slice(&sample::sign(&command()).value).unwrap();
    let wrong: [fn(&mut Value); 5] = [
        |value| value["setting"]["fraction_permille"] = json!(1001),
        |value| value["released"] = json!(true),
        |value| value["target"]["region"] = json!("eu"),
        |value| value["target"]["share_percent"] = json!(101),
        |value| value["epoch"] = json!(-1),
    ];
    for change in wrong {
        let mut value = good.clone();
        change(&mut value);
        assert!(!validator.is_valid(&value), "{value}");
        let record = Record { value: serde_json::to_vec(&value).unwrap(), ..sample::sign(&command()) };
        assert!(decode_command(&record).is_err(), "{value}");
    }
}

#[test]
fn a_subscriber_obeys_the_golden_command() {
    let me = Me { service: "cart".into(), instance: "cart-1".into(), ..Me::default() };
    let mut subscriber = Subscriber::new(DOMAIN, me, keyring(), Clamps::default());
    let (_, _, record) = from_files().remove(0);
    assert_eq!(subscriber.offer(&record, ISSUED_MS + 5), Verdict::Accepted);
    assert_eq!(subscriber.in_force(ISSUED_MS + 10_004).len(), 1);
    assert_eq!(subscriber.in_force(ISSUED_MS + 10_005).len(), 0);
}

#[test]
fn keys_of_one_role_do_not_pass_for_the_other() {
    let mut swapped = Keyring::new();
    swapped.add(Key::new(engine().public(), Role::Operator)).unwrap();
    let me = Me { service: "cart".into(), ..Me::default() };
    let mut subscriber = Subscriber::new(DOMAIN, me, swapped, Clamps::default());
    assert_eq!(subscriber.offer(&sample::sign(&command()), ISSUED_MS), Verdict::Dropped(control::Drop::WrongRole));
}

#[test]
fn the_worked_example_of_the_prose_is_the_golden_command() {
    let prose = std::fs::read_to_string(schemas_dir("subscriber.md")).unwrap();
    let record = sample::sign(&command());
    let public: String = engine().public().iter().map(|byte| format!("{byte:02x}")).collect();
    let input = signature_input(Kind::Command, &record.key, &record.value);
    let facts = [public, engine().key_id(), format!("{} bytes", input.len())];
    for fact in facts.iter().map(String::as_str).chain(record.header("ce_signature")) {
        assert!(prose.contains(fact), "{fact}");
    }
}

#[test]
fn the_readme_names_every_file() {
    let readme = std::fs::read_to_string(schemas_dir("README.md")).unwrap();
    for directory in [".", "examples"] {
        for entry in std::fs::read_dir(schemas_dir(directory)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let is_file = entry.file_type().unwrap().is_file();
            assert!(!is_file || name == "README.md" || readme.contains(&name), "{name}");
        }
    }
}
