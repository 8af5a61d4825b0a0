//! Reads, with a store that answers when the test says so.

use bytes::Bytes;
use std::task::Waker;

use super::super::scripted_store::ScriptedStore;
use super::*;
use crate::model::{Execution, Head, InstanceKey, Life, Progress, RuntimeStatus, Timestamp};
use crate::store::StoredInstance;

struct Bench {
    store: Arc<ScriptedStore>,
    loads: Loads,
    now: Instant,
}

impl Bench {
    fn new(bound: usize) -> Self {
        let store = Arc::new(ScriptedStore::default());
        Self {
            loads: Loads::new(Arc::clone(&store) as Arc<dyn Store>, PartitionId(2), bound),
            store,
            now: Instant::now(),
        }
    }

    fn push(&mut self, key: u64, with_history: bool) {
        let target = InstanceRef::Key(InstanceKey(key));
        self.loads.push(Load::Instance { ticket: Ticket(key), target, with_history });
    }

    fn poll_all(&mut self) -> Vec<Finished> {
        let mut finished = Vec::new();
        self.loads.poll(&mut Context::from_waker(Waker::noop()), self.now, &mut finished);
        finished
    }

    fn poll(&mut self) -> Vec<(u64, Result<Option<LoadedInstance>, LoadError>)> {
        let instance = |finished| match finished {
            Finished::Instance { ticket, result } => (ticket.0, result),
            other => panic!("{other:?}"),
        };
        self.poll_all().into_iter().map(instance).collect()
    }

    fn reading(&self) -> Vec<InstanceKey> {
        let key = |target| if let InstanceRef::Key(key) = target { key } else { panic!("{target:?}") };
        self.store.reads().into_iter().map(key).collect()
    }
}

fn stored(status: RuntimeStatus) -> StoredInstance {
    let life = Life {
        execution: Execution(2),
        ..Life::new(InstanceKey(1), InstanceId::new("one").unwrap(), "o", Timestamp(0))
    };
    let head = Head::new(life, Progress { revision: 1, ..Progress::new(status, Timestamp(0)) });
    StoredInstance::new(head, 1, None)
}

#[test]
fn reads_are_bounded_and_in_order() {
    let mut bench = Bench::new(2);
    (1..=4).for_each(|key| bench.push(key, false));
    assert!(bench.poll().is_empty());
    assert_eq!(bench.reading(), [InstanceKey(1), InstanceKey(2)]);
    bench.store.answer_read(Ok(None));
    assert!(matches!(bench.poll()[..], [(1, Ok(None))]));
    assert_eq!(bench.reading(), [InstanceKey(2), InstanceKey(3)]);
    assert!(!bench.loads.is_idle());
}

#[test]
fn the_history_comes_with_the_same_read_when_it_is_wanted() {
    for with_history in [true, false] {
        let mut bench = Bench::new(1);
        bench.push(1, with_history);
        bench.poll();
        assert_eq!(bench.store.with_history(), [with_history]);
        let history = with_history.then(|| vec![Bytes::from_static(b"record")]);
        let found = StoredInstance { history: history.clone(), ..stored(RuntimeStatus::Running) };
        bench.store.answer_read(Ok(Some(found)));
        let finished = bench.poll();
        let [(1, Ok(Some(loaded)))] = &finished[..] else { panic!("{finished:?}") };
        assert_eq!(loaded.history, history);
        assert!(bench.loads.is_idle());
    }
}

#[test]
fn b05_transient_errors_are_tried_again_and_damage_is_never_absence() {
    let mut bench = Bench::new(1);
    bench.push(1, false);
    bench.poll();
    for _ in 0..3 {
        bench.store.answer_read(Err(LoadError::Transient("busy".into())));
        assert!(bench.poll().is_empty());
        assert!(bench.reading().is_empty());
        bench.now = bench.loads.wake_at(bench.now).unwrap();
        assert!(bench.poll().is_empty());
        assert_eq!(bench.reading().len(), 1);
    }
    bench.store.answer_read(Err(LoadError::Corrupt("checksum".into())));
    assert!(matches!(bench.poll()[..], [(1, Err(LoadError::Corrupt(_)))]));
}

#[test]
fn p07_an_inbox_is_read_again_after_a_transient_error_and_damage_is_reported() {
    let mut bench = Bench::new(1);
    let known: Arc<[InboxId]> = [InboxId(4)].into();
    bench.loads.push(Load::Inbox { ticket: Ticket(1), known });
    assert!(bench.poll_all().is_empty());
    bench.store.answer_inbox(Err(LoadError::Transient("busy".into())));
    assert!(bench.poll_all().is_empty() && bench.store.inboxes().is_empty());
    bench.now = bench.loads.wake_at(bench.now).unwrap();
    assert!(bench.poll_all().is_empty());
    assert_eq!(bench.store.inboxes(), [PartitionId(2)]);
    let row = InboxRow { partition: PartitionId(2), id: InboxId(5), bytes: Bytes::from_static(b"message") };
    bench.store.answer_inbox(Ok(vec![row.clone()]));
    let finished = bench.poll_all();
    assert!(matches!(&finished[..], [Finished::Inbox { ticket: Ticket(1), rows: Ok(rows) }] if *rows == [row]));
    bench.loads.push(Load::Inbox { ticket: Ticket(2), known: [].into() });
    bench.poll_all();
    bench.store.answer_inbox(Err(LoadError::Corrupt("checksum".into())));
    assert!(matches!(bench.poll_all()[..], [Finished::Inbox { ticket: Ticket(2), rows: Err(LoadError::Corrupt(_)) }]));
    assert!(bench.loads.is_idle());
}
