//! Versioned keys, and the log that lets them outlive the process.
//!
//! A key's version rises with every write. The versions of removed keys are never used again: a
//! new key starts above the highest of them, so "newer" stays meaningful without tombstones.
//!
//! The log is a row of records, each with its length and a checksum. A process that is killed in
//! the middle of a write leaves a torn record at the end; [`replay`] says where the whole ones
//! stop, and the rest is cut off. A record is handed to the kernel before its write is answered.
//! The kernel keeps it whatever becomes of the process (it is not forced to the disk: a crash of
//! the real machine may lose it, a killed node does not).

use super::route::{MAX_KEY, MAX_VALUE};
use bytes::Bytes;
use netlab_protocol::conduct::digest;
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Most bytes of keys and values in one node; a write beyond them is refused.
pub const MAX_HELD: usize = 128 << 20;
/// What a key costs beside its own bytes, for [`MAX_HELD`].
const PER_KEY: usize = 64;

/// Versioned keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Store {
    keys: BTreeMap<String, Held>,
    /// Highest version of any removed key.
    floor: u64,
    held: usize,
}

/// A key's version and value, and what its last write replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    version: u64,
    value: Bytes,
    before: Option<(u64, Bytes)>,
}

/// One change to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: String,
    /// Its version after a write; its last version when it was removed.
    pub version: u64,
    /// Its value; none: it was removed.
    pub value: Option<Bytes>,
}

/// The store is full.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Store {
    /// Version and value of a key.
    pub fn get(&self, key: &str) -> Option<(u64, Bytes)> {
        let held = self.keys.get(key)?;
        Some((held.version, held.value.clone()))
    }

    /// What the last write of a key replaced (none: there was no such key then); none if there is no
    /// such key now.
    pub fn replaced(&self, key: &str) -> Option<Option<(u64, Bytes)>> {
        Some(self.keys.get(key)?.before.clone())
    }

    /// The change that a write would be, with the new version; nothing is changed yet.
    ///
    /// # Errors
    /// [`Full`] when the store would hold more than [`MAX_HELD`].
    pub fn plan_put(&self, key: &str, value: Bytes) -> Result<Record, Full> {
        let before = self.keys.get(key);
        // What it replaces is held on to; what that replaced is not.
        let freed = before.and_then(|held| held.before.as_ref());
        let freed = freed.map_or(0, |(_, old)| old.len());
        let added = match before {
            Some(_) => value.len(),
            None => cost(key, &value),
        };
        if self.held - freed + added > MAX_HELD {
            return Err(Full);
        }
        Ok(Record {
            key: key.to_owned(),
            version: before.map_or(self.floor, |held| held.version) + 1,
            value: Some(value),
        })
    }

    /// The change that removes a key; none if there is no such key.
    pub fn plan_delete(&self, key: &str) -> Option<Record> {
        Some(Record {
            key: key.to_owned(),
            version: self.keys.get(key)?.version,
            value: None,
        })
    }

    /// Makes a change, or repeats it.
    pub fn apply(&mut self, record: Record) {
        let Record {
            key,
            version,
            value,
        } = record;
        let was = self.keys.remove(&key);
        self.held -= was.as_ref().map_or(0, |was| was.cost(&key));
        match value {
            Some(value) => {
                let held = Held {
                    version,
                    value,
                    before: was.map(|was| (was.version, was.value)),
                };
                self.held += held.cost(&key);
                self.keys.insert(key, held);
            }
            None => self.floor = self.floor.max(version),
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Names of keys, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }
}

impl Held {
    fn cost(&self, key: &str) -> usize {
        let before = self.before.as_ref().map_or(0, |(_, value)| value.len());
        cost(key, &self.value) + before
    }
}

fn cost(key: &str, value: &Bytes) -> usize {
    PER_KEY + key.len() + value.len()
}

/// Length of body and checksum before every record.
const HEAD: usize = 12;
/// Version, length of the key, and whether there is a value.
const FIXED: usize = 8 + 2 + 1;

impl Record {
    /// The record as it stands in the log.
    pub fn encode(&self) -> Vec<u8> {
        let value = self.value.as_deref().unwrap_or_default();
        let mut body = Vec::with_capacity(FIXED + self.key.len() + value.len());
        body.extend_from_slice(&self.version.to_le_bytes());
        body.extend_from_slice(&(self.key.len() as u16).to_le_bytes());
        body.push(u8::from(self.value.is_some()));
        body.extend_from_slice(self.key.as_bytes());
        body.extend_from_slice(value);
        let mut record = Vec::with_capacity(HEAD + body.len());
        record.extend_from_slice(&(body.len() as u32).to_le_bytes());
        record.extend_from_slice(&digest(&body).to_le_bytes());
        record.extend_from_slice(&body);
        record
    }

    fn decode(body: &[u8]) -> Option<Record> {
        let (version, rest) = body.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (kind, rest) = rest.split_first()?;
        let (key, value) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        Some(Record {
            key: String::from_utf8(key.to_vec()).ok()?,
            version: u64::from_le_bytes(*version),
            value: (*kind == 1).then(|| Bytes::copy_from_slice(value)),
        })
    }
}

/// The store that a log describes, and how many bytes of the log are whole records.
///
/// # Errors
/// Those of reading; a torn or broken record is none, it ends the log.
pub fn replay(mut log: impl Read) -> io::Result<(Store, u64)> {
    let mut store = Store::default();
    let mut whole = 0;
    while let Some(body) = next_body(&mut log)? {
        let Some(record) = Record::decode(&body) else {
            break;
        };
        store.apply(record);
        whole += (HEAD + body.len()) as u64;
    }
    Ok((store, whole))
}

fn next_body(log: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(HEAD);
    log.take(HEAD as u64).read_to_end(&mut head)?;
    let Some((length, sum)) = head.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length) as usize;
    if length > FIXED + MAX_KEY + MAX_VALUE {
        return Ok(None);
    }
    let mut body = Vec::with_capacity(length);
    log.take(length as u64).read_to_end(&mut body)?;
    let is_whole = body.len() == length && sum == digest(&body).to_le_bytes();
    Ok(is_whole.then_some(body))
}
