//! The file that keys outlive the process in.

use crate::role::store::{Record, Store, replay};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

/// Its name in the folder of the volume.
const NAME: &str = "keys.log";

/// An open log.
pub struct Volume {
    file: File,
    /// Length of the whole records.
    whole: u64,
}

/// What was found in a log.
pub struct Found {
    /// The log, open for more.
    pub volume: Volume,
    /// What it describes.
    pub store: Store,
    /// Bytes of a torn record that were cut off its end.
    pub torn: u64,
}

impl Volume {
    /// Opens the log in `folder`, makes it if there is none, and cuts off a torn end.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(folder: &Path) -> io::Result<Found> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(NAME))?;
        let (store, whole) = replay(BufReader::new(&mut file))?;
        let torn = file.metadata()?.len().saturating_sub(whole);
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
        Ok(Found {
            volume: Volume { file, whole },
            store,
            torn,
        })
    }

    /// Hands a record to the kernel. It then outlives the process, but is not forced to the disk.
    ///
    /// # Errors
    /// Those of writing; the log is then as before.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        let bytes = record.encode();
        match self.file.write_all(&bytes) {
            Ok(()) => {
                self.whole += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.file.set_len(self.whole)?;
                self.file.seek(SeekFrom::Start(self.whole))?;
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_torn_end_is_cut_off_and_writing_goes_on_behind_the_last_whole_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut found = Volume::open(folder.path()).unwrap();
        for value in ["one", "two"] {
            let record = found.store.put("a", Bytes::from(value)).unwrap();
            found.volume.append(&record).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();

        let mut again = Volume::open(folder.path()).unwrap();
        assert!(again.torn > 0);
        assert_eq!(again.store.get("a"), Some((1, Bytes::from("one"))));
        let record = again.store.put("a", Bytes::from("three")).unwrap();
        again.volume.append(&record).unwrap();

        let last = Volume::open(folder.path()).unwrap();
        assert_eq!(last.torn, 0);
        assert_eq!(last.store.get("a"), Some((2, Bytes::from("three"))));
    }
}
