//! Where a higher class is refused for lower ones.

use crate::{Detector, Scene, inverted};
use graph::Graph;
use learn::Learner;
use model::{
    Count, Criticality, EdgeKey, EdgeRow, Finding, FindingState, GuardReport, LEVELS, NameId, Named, Rollup,
    ServiceKey, ServiceRow, Signature, Window,
};

/// What the guard of a service says of a second: let in and refused, by class, lowest first.
type Said = (&'static str, [u32; LEVELS], [u32; LEVELS]);

/// gateway → orders → inventory, gateway → inventory.
#[derive(Default)]
struct Shop {
    graph: Graph,
    learner: Learner,
    detector: Detector,
    told: Vec<Finding>,
    at: u64,
}

const NAMES: [&str; 3] = ["gateway", "orders", "inventory"];

impl Shop {
    fn second(&mut self, said: &[Said]) {
        self.at += 1;
        let mut window = Window {
            end_ns: self.at * 1_000_000_000,
            width_ns: 1_000_000_000,
            completeness_permille: 1000,
            spans: 1,
            names: NAMES.iter().map(|name| Named::of(name)).collect(),
            ..Window::default()
        };
        for name in NAMES {
            let key = ServiceKey { service: NameId::of(name), ..ServiceKey::default() };
            let entries = Count::of(if name == "gateway" { 100 } else { 0 });
            window.services.push(ServiceRow { key, calls: Count::of(100), entries, ..ServiceRow::default() });
        }
        for (caller, callee) in [("gateway", "orders"), ("orders", "inventory"), ("gateway", "inventory")] {
            let key = EdgeKey { caller: NameId::of(caller), callee: NameId::of(callee), ..EdgeKey::default() };
            let (calls, first_attempts) = (Count::of(50), Count::of(50));
            window.edges.push(EdgeRow { key, calls, first_attempts, ..EdgeRow::default() });
        }
        let rollup = Rollup::of(&window);
        self.graph.apply(&window, &rollup);
        for (service, admitted, shed) in said {
            let (service, instance, at_ms) = ((*service).to_owned(), "1".to_owned(), self.at * 1000);
            self.learner.report(&GuardReport {
                service,
                instance,
                at_ms,
                admitted: *admitted,
                shed: *shed,
                ..Default::default()
            });
        }
        self.learner.observe(&rollup, &self.detector.unhealthy());
        let scene = Scene {
            domain: "test",
            window: &window,
            rollup: &rollup,
            graph: &self.graph,
            learner: &self.learner,
            now_ms: 0,
        };
        self.told.extend(self.detector.step(&scene));
    }

    fn seconds(&mut self, seconds: usize, said: &[Said]) {
        (0..seconds).for_each(|_| self.second(said));
    }

    fn inverted(&self) -> Vec<(&str, FindingState)> {
        let all = self.told.iter().filter(|finding| finding.signature == Signature::Inversion);
        all.map(|finding| (finding.subject.as_str(), finding.state)).collect()
    }
}

/// It is full of lower classes; orders, which waits for it, refuses buyers.
const CROWDED: [Said; 3] = [
    ("gateway", [40, 0, 90, 30], [0; LEVELS]),
    ("orders", [0, 0, 0, 30], [0, 0, 0, 12]),
    ("inventory", [20, 0, 80, 30], [20, 0, 10, 0]),
];

#[test]
fn buyers_who_are_refused_because_what_they_wait_for_is_full_of_others_are_seen() {
    let mut shop = Shop::default();
    shop.seconds(20, &CROWDED);
    assert_eq!(shop.inverted().first(), Some(&("inventory", FindingState::Opened)), "{:?}", shop.told);
    let found = inverted(&shop.graph, &shop.learner, NameId::of("inventory")).unwrap();
    assert_eq!((found.class, found.at), (Criticality::CriticalPlus, NameId::of("orders")));
    assert!((found.rps - 12.0).abs() < 0.1 && (found.share - 12.0 / 42.0).abs() < 0.01, "{found:?}");
    let finding = shop.told.iter().find(|finding| finding.signature == Signature::Inversion).unwrap();
    assert!(finding.summary.contains("orders refuses 29 % of CRITICAL_PLUS"), "{}", finding.summary);
}

#[test]
fn it_goes_on_while_the_service_is_crowded_and_ends_when_it_has_room() {
    let mut shop = Shop::default();
    shop.seconds(20, &CROWDED);
    let made_room = [("orders", [0, 0, 0, 42], [0; LEVELS]), ("inventory", [0, 0, 88, 42], [0, 0, 5, 0])];
    shop.seconds(30, &made_room);
    assert!(shop.inverted().iter().all(|(_, state)| *state != FindingState::Closed), "{:?}", shop.inverted());
    shop.seconds(30, &[("orders", [0, 0, 0, 42], [0; LEVELS]), ("inventory", [40, 0, 90, 42], [0; LEVELS])]);
    assert_eq!(shop.inverted().last(), Some(&("inventory", FindingState::Closed)));
}

#[test]
fn refusals_in_the_order_of_classes_are_no_inversion_and_neither_are_a_burst_or_an_entry() {
    let mut ordered = Shop::default();
    ordered.seconds(20, &[("inventory", [0, 0, 80, 30], [40, 0, 20, 0])]);
    assert_eq!(ordered.inverted(), []);
    let mut alone = Shop::default();
    alone.seconds(20, &[("orders", [0, 0, 0, 30], [0, 0, 0, 12]), ("inventory", [40, 0, 90, 30], [0; LEVELS])]);
    assert_eq!(alone.inverted(), [], "orders refuses for reasons of its own: nobody crowds it out");
    let mut entry = Shop::default();
    entry.seconds(20, &[("gateway", [40, 0, 90, 30], [0, 0, 0, 12])]);
    assert_eq!(entry.inverted(), [], "an entry may be told to, and nobody has paid for it");
    let mut burst = Shop::default();
    burst.seconds(8, &CROWDED);
    burst.seconds(20, &[("orders", [0, 0, 0, 42], [0; LEVELS]), ("inventory", [40, 0, 90, 42], [0; LEVELS])]);
    assert_eq!(burst.inverted(), []);
}

#[test]
fn a_severe_one_is_told_in_seconds_and_a_mild_one_when_it_has_not_healed_by_itself() {
    let told_after = |refused: u32| {
        let said = [CROWDED[0], ("orders", [0, 0, 0, 42 - refused], [0, 0, 0, refused]), CROWDED[2]];
        let mut shop = Shop::default();
        (1..=30).find(|_| {
            shop.second(&said);
            !shop.inverted().is_empty()
        })
    };
    let (mild, severe) = (told_after(12), told_after(30));
    assert!(severe.is_some_and(|after| after <= 5), "{severe:?}");
    assert!(mild.is_some_and(|after| (12..=15).contains(&after)), "{mild:?}");
}
