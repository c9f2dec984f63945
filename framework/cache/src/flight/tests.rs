use super::*;
use futures::{FutureExt, task::noop_waker_ref};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
};
use tropos_core::{Failure, Key};

#[tokio::test]
async fn a_permit_that_is_dropped_frees_the_key_and_tells_those_who_wait() {
    let flights = Flights::<()>::new();
    let key = Key::fetch("a");
    let Boarding::Lead(permit) = flights.board(&key) else { panic!("nobody leads yet") };
    let Boarding::Join(waiter) = flights.board(&key) else { panic!("one leads already") };
    assert!(matches!(flights.board(&Key::fetch("b")), Boarding::Lead(_)));
    drop(permit);
    assert!(waiter.wait().await.is_err());
    assert!(matches!(flights.board(&key), Boarding::Lead(_)));
}

#[tokio::test]
async fn a_flight_that_has_landed_is_forgotten_but_for_those_who_waited() {
    let flights = Flights::<()>::new();
    let key = Key::fetch("a");
    let Boarding::Lead(permit) = flights.board(&key) else { panic!("nobody leads yet") };
    let waiter = permit.waiter();
    permit.land(Err(Failure::new("it rained")));
    let Boarding::Lead(next) = flights.board(&key) else { panic!("the key is free") };
    assert_eq!(waiter.wait().await.err().map(|failure| failure.to_string()), Some("it rained".to_owned()));
    assert!(matches!(flights.board(&key), Boarding::Join(_)), "the end of the first does not end the next");
    drop(next);
}

struct Counted(AtomicUsize);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A waker's holders beyond the test's two handles are those who keep it to call it.
#[test]
fn a_waiter_leaves_one_waker_the_latest_and_takes_it_along_when_it_goes() {
    let flights = Flights::<()>::new();
    let Boarding::Lead(permit) = flights.board(&Key::fetch("a")) else { panic!("nobody leads yet") };
    let counted = Arc::new(Counted(AtomicUsize::new(0)));
    let waker = Waker::from(counted.clone());
    let kept = || Arc::strong_count(&counted) - 2;
    let mut context = Context::from_waker(&waker);

    let mut stays = Box::pin(permit.waiter().wait());
    let mut leaves = Box::pin(permit.waiter().wait());
    let mut moves = Box::pin(permit.waiter().wait());
    for _ in 0..3 {
        assert!(stays.poll_unpin(&mut context).is_pending());
        assert!(leaves.poll_unpin(&mut context).is_pending());
        assert!(moves.poll_unpin(&mut context).is_pending());
    }
    assert_eq!(kept(), 3);
    drop(leaves);
    assert_eq!(kept(), 2);
    assert!(moves.poll_unpin(&mut Context::from_waker(noop_waker_ref())).is_pending());
    assert_eq!(kept(), 1);
    permit.land(Err(Failure::new("it rained")));
    assert_eq!((counted.0.load(Ordering::SeqCst), kept()), (1, 0));
    assert!(stays.poll_unpin(&mut context).is_ready());
    assert!(moves.poll_unpin(&mut context).is_ready());
}
