//! Content of declared files and written values, made up from the seed: equal in every run, kept
//! nowhere.

use netlab_protocol::draw;

/// A run of made-up bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    seed: u64,
    name: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Content {
    /// The content of `name` under `seed`.
    pub fn new(seed: u64, name: &str, bytes: u64) -> Content {
        Content {
            seed,
            name: draw::name(name),
            bytes,
        }
    }

    /// At most `most` bytes from `offset` on; empty at the end.
    pub fn chunk(&self, offset: u64, most: usize) -> Vec<u8> {
        let length = self.bytes.saturating_sub(offset).min(most as u64) as usize;
        let mut chunk = Vec::with_capacity(length + 16);
        let mut word = offset / 8;
        let skip = (offset % 8) as usize;
        while chunk.len() < length + skip {
            chunk.extend_from_slice(&draw::bits(self.seed, &[self.name, word]).to_le_bytes());
            word += 1;
        }
        chunk.drain(..skip);
        chunk.truncate(length);
        chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_of_any_size_are_the_same_bytes() {
        let content = Content::new(7, "film", 1001);
        let whole = content.chunk(0, 5000);
        assert_eq!(whole.len(), 1001);
        for size in [1, 7, 8, 13, 1000] {
            let mut parts = Vec::new();
            loop {
                let chunk = content.chunk(parts.len() as u64, size);
                if chunk.is_empty() {
                    break;
                }
                parts.extend(chunk);
            }
            assert_eq!(parts, whole, "chunks of {size}");
        }
        assert_ne!(Content::new(7, "song", 1001).chunk(0, 5000), whole);
    }
}
