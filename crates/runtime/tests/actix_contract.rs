//! What we rely on in actix, as measured; an upgrade that changes one of these facts fails here. Each fact stands behind a
//! rule of this crate: bounded mailboxes, no supervisor, pull streams, one long-lived recipient per pair.

use actix::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

const CAPACITY: usize = 16;

/// Counts what it handles and panics when told to.
struct Counting {
    handled: usize,
    restarts: Arc<AtomicUsize>,
}

struct Count(Tell);

enum Tell {
    Go,
    Panic,
    Stop,
}

impl Message for Count {
    type Result = usize;
}

impl Actor for Counting {
    type Context = Context<Self>;
}

impl Supervised for Counting {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.restarts.fetch_add(1, SeqCst);
    }
}

impl Handler<Count> for Counting {
    type Result = usize;

    fn handle(&mut self, count: Count, ctx: &mut Context<Self>) -> usize {
        self.handled += 1;
        match count.0 {
            Tell::Go => {}
            Tell::Panic => panic!("told to"),
            Tell::Stop => ctx.stop(),
        }
        self.handled
    }
}

/// Never comes to its mailbox.
struct Blocked;

struct Noop;

impl Message for Noop {
    type Result = ();
}

impl Actor for Blocked {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(CAPACITY);
        ctx.wait(fut::wrap_future::<_, Self>(tokio::time::sleep(Duration::from_secs(3600))));
    }
}

impl Handler<Noop> for Blocked {
    type Result = ();

    fn handle(&mut self, _: Noop, _: &mut Context<Self>) {}
}

/// Works on a pulled stream of batches, 2 ms each, and yields after each one.
struct Pulling {
    done: Arc<AtomicUsize>,
}

struct Batch;

impl Actor for Pulling {
    type Context = Context<Self>;
}

impl StreamHandler<Batch> for Pulling {
    fn handle(&mut self, _: Batch, ctx: &mut Context<Self>) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(2) {}
        self.done.fetch_add(1, SeqCst);
        ctx.wait(fut::ready(()));
    }
}

impl Handler<Noop> for Pulling {
    type Result = ();

    fn handle(&mut self, _: Noop, _: &mut Context<Self>) {}
}

fn counting() -> (Addr<Counting>, Arc<AtomicUsize>) {
    let restarts = Arc::new(AtomicUsize::new(0));
    let of = restarts.clone();
    (Supervisor::start(move |_| Counting { handled: 0, restarts: of }), restarts)
}

async fn blocked() -> Addr<Blocked> {
    let blocked = Blocked.start();
    tokio::time::sleep(Duration::from_millis(20)).await;
    blocked
}

#[test]
fn a_supervisor_does_not_survive_a_panic() {
    System::new().block_on(async {
        let (actor, restarts) = counting();
        assert_eq!(actor.send(Count(Tell::Go)).await, Ok(1));
        assert!(actor.send(Count(Tell::Panic)).await.is_err());
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(actor.send(Count(Tell::Go)).await.is_err(), "the address is dead");
        assert_eq!((restarts.load(SeqCst), actor.connected()), (0, false));
    });
}

#[test]
fn a_supervised_restart_keeps_the_old_state() {
    System::new().block_on(async {
        let (actor, restarts) = counting();
        for _ in 0..5 {
            actor.send(Count(Tell::Go)).await.expect("it lives");
        }
        actor.send(Count(Tell::Stop)).await.expect("it lives");
        assert_eq!(actor.send(Count(Tell::Go)).await, Ok(7));
        assert_eq!(restarts.load(SeqCst), 1);
    });
}

#[test]
fn one_recipient_is_bounded_and_a_clone_per_message_is_not() {
    System::new().block_on(async {
        let recipient = blocked().await.recipient::<Noop>();
        let accepted = (0..1000).filter(|_| recipient.try_send(Noop).is_ok()).count();
        assert!(accepted <= CAPACITY + 1, "{accepted}");
        let actor = blocked().await;
        let accepted = (0..1000).filter(|_| actor.clone().try_send(Noop).is_ok()).count();
        assert_eq!(accepted, 1000, "each clone has a place of its own: never clone an address in a loop");
    });
}

#[test]
fn a_message_whose_sender_gave_up_is_discarded() {
    System::new().block_on(async {
        struct Slow(Arc<AtomicUsize>);
        impl Actor for Slow {
            type Context = Context<Self>;
        }
        impl Handler<Noop> for Slow {
            type Result = ();
            fn handle(&mut self, _: Noop, ctx: &mut Context<Self>) {
                self.0.fetch_add(1, SeqCst);
                ctx.wait(fut::wrap_future::<_, Self>(tokio::time::sleep(Duration::from_millis(100))));
            }
        }
        let handled = Arc::new(AtomicUsize::new(0));
        let actor = Slow(handled.clone()).start();
        actor.send(Noop).await.expect("it lives");
        let gave_up = tokio::time::timeout(Duration::from_millis(20), actor.send(Noop)).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert!(gave_up.is_err());
        assert_eq!(handled.load(SeqCst), 1, "never put a timeout around a send whose loss matters");
    });
}

#[test]
fn a_panic_ends_one_actor_and_drops_its_value() {
    struct Watched(Arc<AtomicUsize>);
    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    impl Actor for Watched {
        type Context = Context<Self>;
    }
    impl Handler<Noop> for Watched {
        type Result = ();
        fn handle(&mut self, _: Noop, _: &mut Context<Self>) {
            panic!("told to");
        }
    }
    System::new().block_on(async {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (watched, (sibling, _)) = (Watched(dropped.clone()).start(), counting());
        assert!(watched.send(Noop).await.is_err());
        assert_eq!(sibling.send(Count(Tell::Go)).await, Ok(1), "a sibling on the same arbiter lives");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(dropped.load(SeqCst), 1, "a post held by the actor is given up");
    });
}

#[test]
fn stopping_an_arbiter_drops_what_is_queued_and_the_actor() {
    struct Held(Arc<AtomicUsize>);
    impl Drop for Held {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    impl Actor for Held {
        type Context = Context<Self>;
    }
    System::new().block_on(async {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (arbiter, of) = (Arbiter::new(), dropped.clone());
        let address = Held::start_in_arbiter(&arbiter.handle(), move |_| Held(of));
        tokio::time::sleep(Duration::from_millis(50)).await;
        arbiter.stop();
        assert!(arbiter.join().is_ok());
        assert_eq!(dropped.load(SeqCst), 1);
        assert!(!address.connected());
    });
}

#[test]
fn control_overtakes_a_pulled_stream_that_yields_and_the_stream_stays_bounded() {
    System::new().block_on(async {
        let done = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = tokio::sync::mpsc::channel::<Batch>(4);
        let (arbiter, of) = (Arbiter::new(), done.clone());
        let actor = Pulling::start_in_arbiter(&arbiter.handle(), move |ctx| {
            ctx.add_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
            Pulling { done: of }
        });
        let ahead = Arc::new(AtomicUsize::new(0));
        let (most, of) = (ahead.clone(), done.clone());
        let feeder = std::thread::spawn(move || {
            for sent in 1..=150 {
                sender.blocking_send(Batch).expect("it lives");
                most.fetch_max(sent - of.load(SeqCst), SeqCst);
            }
        });
        let mut waits = Vec::new();
        for _ in 0..20 {
            let began = Instant::now();
            actor.send(Noop).await.expect("it lives");
            waits.push(began.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        feeder.join().expect("no panic");
        waits.sort_unstable();
        assert!(
            waits[10] < Duration::from_millis(30),
            "the median control message waits for one batch, not for all: {waits:?}"
        );
        assert!(ahead.load(SeqCst) <= 4 + 2, "{}", ahead.load(SeqCst));
        arbiter.stop();
    });
}

#[test]
fn a_context_that_waits_leaves_its_mailbox_alone_until_the_wait_is_over() {
    struct Waiting(Vec<&'static str>);
    struct Ask;
    impl Message for Ask {
        type Result = String;
    }
    impl Actor for Waiting {
        type Context = Context<Self>;
    }
    impl Handler<Noop> for Waiting {
        type Result = ();
        fn handle(&mut self, _: Noop, ctx: &mut Context<Self>) {
            let slept = fut::wrap_future::<_, Self>(tokio::time::sleep(Duration::from_millis(50)));
            ctx.wait(slept.map(|(), actor, _| actor.0.push("waited")));
        }
    }
    impl Handler<Ask> for Waiting {
        type Result = String;
        fn handle(&mut self, _: Ask, _: &mut Context<Self>) -> String {
            self.0.push("asked");
            self.0.join(",")
        }
    }
    System::new().block_on(async {
        let actor = Waiting(Vec::new()).start();
        actor.send(Noop).await.expect("it lives");
        assert_eq!(actor.send(Ask).await, Ok("waited,asked".to_owned()));
    });
}
