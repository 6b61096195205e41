//! Just enough of ELF (elf(5)) to know whether a file can be an image's only program.

use super::ImageError;

/// Program header types.
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;

fn u16_at(file: &[u8], at: usize) -> Option<u16> {
    let bytes = file.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn u32_at(file: &[u8], at: usize) -> Option<u32> {
    let bytes = file.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn u64_at(file: &[u8], at: usize) -> Option<usize> {
    let bytes = file.get(at..at.checked_add(8)?)?;
    usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
}

/// Type, offset and size in the file of each program header; none: no 64-bit little-endian ELF.
fn headers(file: &[u8]) -> Option<Vec<(u32, usize, usize)>> {
    if file.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (first, size) = (u64_at(file, 32)?, u16_at(file, 54)?);
    (0..u16_at(file, 56)?)
        .map(|index| {
            let at = first.checked_add(usize::from(index) * usize::from(size))?;
            Some((
                u32_at(file, at)?,
                u64_at(file, at + 8)?,
                u64_at(file, at + 32)?,
            ))
        })
        .collect()
}

/// The architecture of an ELF file in Rust's words; none for others than Linux engines run on.
pub fn architecture_of(file: &[u8]) -> Option<&'static str> {
    headers(file)?;
    match u16_at(file, 18)? {
        62 => Some("x86_64"),
        183 => Some("aarch64"),
        243 => Some("riscv64"),
        _ => None,
    }
}

/// The architecture of a static program.
pub(super) fn check(file: &[u8]) -> Result<&'static str, ImageError> {
    let headers = headers(file).ok_or(ImageError::NotLinux)?;
    let architecture = architecture_of(file).ok_or(ImageError::NotLinux)?;
    if headers.iter().any(|(kind, ..)| *kind == PT_INTERP) {
        return Err(ImageError::Dynamic {
            target: format!("{architecture}-unknown-linux-gnu"),
        });
    }
    Ok(architecture)
}

/// How much of the file the kernel maps; the rest (symbols, debug information, section headers) is
/// for other tools.
pub(super) fn loaded_bytes(file: &[u8]) -> usize {
    let headers = headers(file).unwrap_or_default();
    let ends = headers.iter().filter(|(kind, ..)| *kind == PT_LOAD);
    let end = ends.map(|(_, at, size)| at.saturating_add(*size)).max();
    end.unwrap_or(file.len()).min(file.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn this_test_is_a_static_program() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(check(&own).unwrap(), std::env::consts::ARCH);
        assert!(loaded_bytes(&own) < own.len());
    }

    proptest! {
        #[test]
        fn hostile_files_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), elf in any::<bool>()) {
            if elf && bytes.len() > 6 {
                bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
            }
            let _ = check(&bytes);
            prop_assert!(loaded_bytes(&bytes) <= bytes.len());
        }
    }
}
