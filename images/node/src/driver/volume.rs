//! The file that keys outlive the process in.

use crate::role::store::{Record, Store, replay};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Its name in the folder of the volume.
const NAME: &str = "keys.log";

/// A log. It is open only while something is read or written: a file open for writing keeps its file
/// system from being made read-only.
pub struct Volume {
    path: PathBuf,
    /// Length of the whole records.
    whole: u64,
}

/// What was found in a log.
pub struct Found {
    /// The log, for more.
    pub volume: Volume,
    /// What it describes.
    pub store: Store,
    /// Bytes of a torn record at its end; they are cut off before anything is written behind them.
    pub torn: u64,
}

impl Volume {
    /// Reads the log in `folder`; there may be none.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(folder: &Path) -> io::Result<Found> {
        let path = folder.join(NAME);
        let (store, whole, length) = match File::open(&path) {
            Ok(mut file) => {
                let (store, whole) = replay(BufReader::new(&mut file))?;
                (store, whole, file.metadata()?.len())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => {
                (Store::default(), 0, 0)
            }
            Err(error) => return Err(error),
        };
        Ok(Found {
            volume: Volume { path, whole },
            store,
            torn: length.saturating_sub(whole),
        })
    }

    /// Hands a record to the kernel. It then outlives the process, but is not forced to the disk.
    ///
    /// # Errors
    /// Those of writing; the log is then as before.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        let bytes = record.encode();
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)?;
        // What a killed process left behind the whole records.
        if file.metadata()?.len() > self.whole {
            file.set_len(self.whole)?;
        }
        file.seek(SeekFrom::Start(self.whole))?;
        match file.write_all(&bytes) {
            Ok(()) => {
                self.whole += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                file.set_len(self.whole)?;
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
            let record = found.store.plan_put("a", Bytes::from(value)).unwrap();
            found.volume.append(&record).unwrap();
            found.store.apply(record);
        }
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();

        let mut again = Volume::open(folder.path()).unwrap();
        assert!(again.torn > 0);
        assert_eq!(again.store.get("a"), Some((1, Bytes::from("one"))));
        let record = again.store.plan_put("a", Bytes::from("three")).unwrap();
        again.volume.append(&record).unwrap();

        let last = Volume::open(folder.path()).unwrap();
        assert_eq!(last.torn, 0);
        assert_eq!(last.store.get("a"), Some((2, Bytes::from("three"))));
    }
}
