use super::*;
use admission::BreakerWindow;
use control::Bound;
use model::{Criticality, Knob, Setting};

const TEXT: &str = r#"
service = "cart"
instance = "cart-1"
[server]
limit = { kind = "fixed", limit = 40 }
client_timeout_ms = 2000
never_shed = ["/health*"]
[server.criticality]
"/checkout*" = "CRITICAL_PLUS"
[client]
timeout_ms = 300
[client.breaker]
window = { ms = 10000 }
[callees.payment]
attempts_max = 1
[callees.payment.breaker]
failure_permille = 250
window = { calls = 50 }
[clamps]
refused = ["restart"]
[clamps.bounds.concurrency]
strictest = { limit = 10 }
"#;

#[test]
fn a_file_says_what_differs_from_the_defaults_and_a_callee_what_differs_from_the_client() {
    let settings = Settings::from_toml(TEXT).unwrap().checked().unwrap();
    assert_eq!(settings.server.bound_ms(), 300, "15 % of the clients' timeout");
    assert_eq!(settings.server.criticality["/checkout*"], Criticality::CriticalPlus);
    let (payment, other) = (settings.towards("payment").unwrap(), settings.towards("db").unwrap());
    assert_eq!((payment.attempts_max, payment.timeout_ms, payment.breaker.failure_permille), (1, 300, 250));
    assert_eq!((payment.breaker.window, other.breaker.window), (BreakerWindow::Calls(50), BreakerWindow::Ms(10_000)));
    assert_eq!((other.attempts_max, other.breaker.failure_permille), (3, 500));
    let bound = Bound { strictest: Some(Setting::Concurrency { limit: 10 }), loosest: None };
    assert_eq!(settings.clamps.clamps().unwrap().bounds[&Knob::Concurrency], bound);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let error = |text: &str| {
        let text = format!("service = \"cart\"\n{text}");
        Settings::from_toml(&text).and_then(Settings::checked).unwrap_err().to_string()
    };
    assert!(error("[server]\nqueue_bond_ms = 3").contains("queue_bond_ms"));
    assert!(error("[server]\nrefuse_status = 200").contains("server.refuse_status"));
    assert!(error("[callees.db]\ntimeout = 3").contains("callees.db"));
    assert!(error("[clamps.bounds.timeout]\nstrictest = { limit = 3 }").contains("clamps.bounds.timeout.strictest"));
    assert!(error("[client.breaker]\nwindow = { calls = 0 }").contains("client.breaker.window"));
    assert!(error("keyring_file = \"/nowhere\"").contains("/nowhere"));
    assert!(Settings::from_toml("").unwrap().checked().unwrap_err().to_string().contains("service"));
    if cfg!(not(feature = "kafka")) {
        assert!(error("[kafka]\nbrokers = \"x:9092\"").contains("feature `kafka`"));
    }
}
