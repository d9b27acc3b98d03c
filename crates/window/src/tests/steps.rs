//! Steps inside services: where frameworks leave their errors.

use super::fixture::{n, windows};
use model::{LocalRow, NameId};

#[test]
fn a_step_that_fails_is_counted_at_its_own_service_although_the_request_succeeds() {
    let seen = windows(
        "
        1 - server   web  order   0..100
        2 1 internal web  render  5..20
        3 1 client   web  get     30..60
        4 3 server   cart read    32..58
        5 4 internal cart find    33..40 error
        6 4 internal cart find    41..45",
    );
    let row = |service: &str, operation: &str, calls: u64, failed: u64| LocalRow {
        service: NameId::of(service),
        operation: NameId::of(operation),
        calls: n(calls),
        failed: n(failed),
    };
    let mut expected = vec![row("web", "render", 1, 0), row("cart", "find", 2, 1)];
    expected.sort_by_key(|row| (row.service, row.operation));
    assert_eq!(seen[0].local, expected);
    assert!(seen[0].services.iter().all(|row| row.failed().is_zero()));
}
