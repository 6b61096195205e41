//! The log of keys: what was written whole is never lost, whatever the end looks like.

use crate::role::store::{Record, Store, replay};
use bytes::Bytes;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Change {
    Put(u8, Vec<u8>),
    Delete(u8),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let value = proptest::collection::vec(any::<u8>(), 0..40);
    let change = prop_oneof![
        3 => (0..6_u8, value).prop_map(|(key, value)| Change::Put(key, value)),
        1 => (0..6_u8).prop_map(Change::Delete),
    ];
    proptest::collection::vec(change, 0..30)
}

/// The records that the changes make, and the stores after each of them.
fn play(changes: Vec<Change>) -> (Vec<Record>, Vec<Store>) {
    let mut store = Store::default();
    let mut records: Vec<Record> = Vec::new();
    for change in changes {
        let record = match change {
            Change::Put(key, value) => {
                let record = store.plan_put(&format!("key-{key}"), Bytes::from(value));
                Some(record.unwrap())
            }
            Change::Delete(key) => store.plan_delete(&format!("key-{key}")),
        };
        record
            .iter()
            .cloned()
            .for_each(|record| store.apply(record));
        records.extend(record);
    }
    let mut stores = vec![Store::default()];
    for n in 1..=records.len() {
        let mut store = Store::default();
        records[..n].iter().cloned().for_each(|r| store.apply(r));
        stores.push(store);
    }
    (records, stores)
}

proptest! {
    /// A log cut off anywhere gives the state after the last record that is whole.
    #[test]
    fn a_torn_log_gives_its_whole_records(changes in changes(), cut in 0.0..=1.0_f64) {
        let (records, stores) = play(changes);
        let encoded: Vec<Vec<u8>> = records.iter().map(Record::encode).collect();
        let log = encoded.concat();
        let cut = (log.len() as f64 * cut) as usize;
        let mut whole = 0;
        let mut n = 0;
        while n < encoded.len() && whole + encoded[n].len() <= cut {
            whole += encoded[n].len();
            n += 1;
        }
        let (store, length) = replay(&log[..cut]).unwrap();
        prop_assert_eq!(length, whole as u64);
        prop_assert_eq!(&store, &stores[n]);
    }

    /// A flipped bit ends the log before its record; nothing panics, nothing is made up.
    #[test]
    fn a_broken_record_ends_the_log(changes in changes(), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let (records, stores) = play(changes);
        prop_assume!(!records.is_empty());
        let encoded: Vec<Vec<u8>> = records.iter().map(Record::encode).collect();
        let mut log = encoded.concat();
        let at = at.index(log.len());
        log[at] ^= 1_u8 << bit;
        let mut end = 0;
        let before = encoded.iter().take_while(|e| { end += e.len(); end <= at }).count();
        let (store, _) = replay(&log[..]).unwrap();
        prop_assert_eq!(&store, &stores[before]);
    }

    /// Any bytes can stand in the file.
    #[test]
    fn garbage_is_no_store(garbage in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (_, length) = replay(&garbage[..]).unwrap();
        prop_assert!(length <= garbage.len() as u64);
    }
}
