//! Flows: what requests touched.

use super::fixture::{config, flows, n, service, spans, windows, windows_of};
use crate::{Labels, ShardConfig};
use model::{Criticality, NameId, Span};

const ORDER: &str = "
    1 - server web   order 0..100 cohort=7 criticality=SHEDDABLE
    2 1 client web   get   10..30
    3 2 server cart  read  12..28
    4 1 client web   get   40..60
    5 4 server cart  read  42..58
    6 5 client cart  sql   43..50 database peer=db
    7 1 client web   pay   70..90
    8 7 server pay   charge 72..88";

#[test]
fn a_flow_counts_the_visits_to_each_service() {
    let seen = windows(ORDER);
    let rows = flows(&seen, "web");
    assert_eq!(rows.len(), 1);
    let mut visits = vec![(NameId::of("web"), n(1)), (NameId::of("cart"), n(2)), (NameId::of("pay"), n(1))];
    visits.sort();
    assert_eq!((rows[0].requests, rows[0].good, &rows[0].visits), (n(1), n(1), &visits));
    assert_eq!((rows[0].key.operation, rows[0].key.cohort), (NameId::of("order"), 7));
    assert_eq!(rows[0].key.criticality, Criticality::Critical, "labels are not believed by default");
    assert_eq!(seen[0].flows.len(), 1);
}

#[test]
fn criticality_comes_from_the_map_before_a_trusted_label() {
    let at_entry = |config: &ShardConfig| flows(&windows_of(&spans(ORDER), config, 1, &[]), "web")[0].key.criticality;
    let trusted = ShardConfig { labels: Labels::Trusted, ..config() };
    assert_eq!(at_entry(&trusted), Criticality::Sheddable);
    let order = (NameId::of("web"), NameId::of("order"));
    let mapped = ShardConfig { criticality: [(order, Criticality::CriticalPlus)].into(), ..trusted };
    assert_eq!(at_entry(&mapped), Criticality::CriticalPlus);
    let seen = windows_of(&spans(ORDER), &mapped, 1, &[]);
    assert_eq!(seen[0].services.iter().map(|row| row.criticality[3]).sum::<model::Count>(), n(1));
}

#[test]
fn a_failed_request_is_not_good() {
    let seen = windows("1 - server web order 0..100 error");
    let rows = flows(&seen, "web");
    assert_eq!((rows[0].requests, rows[0].good), (n(1), n(0)));
    assert_eq!(service(&seen, "web").entries, n(1));
}

#[test]
fn a_sample_is_weighted_up() {
    let base = spans("1 - server web order 0..100")[0];
    let all: Vec<Span> = (1..4001u128).map(|trace| Span { trace: model::TraceId(trace), ..base }).collect();
    let seen = windows_of(&all, &ShardConfig { flow_sample: 8, ..config() }, 1, &[]);
    let requests = flows(&seen, "web")[0].requests.calls();
    assert!((3000.0..5000.0).contains(&requests), "{requests}");
    assert_eq!(requests % 8.0, 0.0);
}
