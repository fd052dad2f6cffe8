//! A bundle as an archive: gzip around tar, unpacked in memory and within limits.
//!
//! Nothing of it is ever written. Links, devices and names that lead out are refused, as is a file that
//! stands there twice: two readers of such an archive see two bundles.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::diagnostic::{Checked, Code, Diagnostic, Place, readable};

/// What an archive may come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// All of it, unpacked, in bytes.
    pub(super) whole: u64,
    /// One file, in bytes.
    pub(super) file: u64,
    /// How many entries.
    pub(super) entries: usize,
}

impl Bounds {
    /// For bundles of policies.
    pub(super) const BUNDLE: Self = Self {
        whole: 32 * 1024 * 1024,
        file: 8 * 1024 * 1024,
        entries: 5000,
    };
}

/// The regular files of an archive with their paths, sorted.
pub(super) fn unpack(
    archive: &str,
    bytes: &[u8],
    bounds: Bounds,
) -> Checked<Vec<(String, Vec<u8>)>> {
    let bounded = Bounded {
        inner: MultiGzDecoder::new(bytes),
        left: bounds.whole,
    };
    let mut reader = Archive::new(bounded);
    let entries = reader
        .entries()
        .map_err(|error| broken(archive, &error.to_string()))?;
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (count, entry) in entries.enumerate() {
        if count >= bounds.entries {
            return Err(broken(
                archive,
                &format!("more than {} entries", bounds.entries),
            ));
        }
        let entry = entry.map_err(|error| broken(archive, &error.to_string()))?;
        if let Some(file) = file_of(archive, entry, bounds.file)? {
            files.push(file);
        }
    }
    files.sort();
    let mut pairs = files.iter().zip(files.iter().skip(1));
    if let Some((twice, _)) = pairs.find(|(one, next)| one.0 == next.0) {
        return Err(broken(archive, &format!("the file `{}` twice", twice.0)));
    }
    Ok(files)
}

fn file_of<R: Read>(
    archive: &str,
    mut entry: Entry<'_, R>,
    limit: u64,
) -> Checked<Option<(String, Vec<u8>)>> {
    let path = path_of(archive, &entry.path_bytes())?;
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous => {}
        EntryType::Directory | EntryType::XGlobalHeader => return Ok(None),
        EntryType::Symlink | EntryType::Link => {
            return Err(broken(archive, &format!("the link `{path}`")));
        }
        _ => return Err(broken(archive, &format!("`{path}`, which is no file"))),
    }
    if entry.size() > limit {
        let found = format!("`{path}` of {} bytes, more than {limit}", entry.size());
        return Err(broken(archive, &found));
    }
    let mut bytes = Vec::new();
    entry
        .read_to_end(&mut bytes)
        .map_err(|error| broken(archive, &error.to_string()))?;
    Ok(Some((path, bytes)))
}

/// A path inside the bundle, relative to its top.
fn path_of(archive: &str, bytes: &[u8]) -> Checked<String> {
    let odd = |text: &str| broken(archive, &format!("the path `{}`", readable(text, 100)));
    let text = std::str::from_utf8(bytes).map_err(|_| odd(&String::from_utf8_lossy(bytes)))?;
    // `opa build` writes `/data.json`, tar writes `./data.json`.
    let bare = text.strip_prefix("./").or(text.strip_prefix('/'));
    let bare = bare.unwrap_or(text).trim_end_matches('/');
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let is_safe = bare.len() <= 512
        && !bare.contains(|character: char| character.is_control() || character == '\\')
        && (bare.is_empty() || bare == "." || bare.split('/').all(is_plain));
    if is_safe {
        Ok(bare.to_owned())
    } else {
        Err(odd(text))
    }
}

fn broken(archive: &str, found: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::BundleInvalid,
            Place::file(archive),
            "the bundle can't be used",
        )
        .found(found)
        .expected("a gzipped tar archive of plain files, at most 5000 and 32 MiB, each once and below the top")
        .help("build it with `opa build -b DIR`, or `tar -czf bundle.tar.gz -C DIR .`"),
    )
}

/// A reader that fails beyond a number of bytes, so that no small archive becomes a large one.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other("more bytes, unpacked, than a bundle may have"))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    fn packed(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, kind, bytes) in entries {
            let mut header = Header::new_ustar();
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            let name = &mut header.as_old_mut().name;
            name[..path.len()].copy_from_slice(path.as_bytes());
            if *kind == EntryType::Symlink {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn refusal(bytes: &[u8]) -> String {
        let finding = unpack("b.tar.gz", bytes, Bounds::BUNDLE).unwrap_err();
        assert_eq!(finding.code, Code::BundleInvalid);
        finding.found.unwrap()
    }

    #[test]
    fn files_are_found_whatever_their_names_begin_with() {
        let file = EntryType::Regular;
        let bytes = packed(&[
            ("./", EntryType::Directory, b""),
            ("./b/x.rego", file, b"1"),
            ("/data.json", file, b"{}"),
            (".manifest", file, b"2"),
        ]);
        let files = unpack("b.tar.gz", &bytes, Bounds::BUNDLE).unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [".manifest", "b/x.rego", "data.json"]);
    }

    #[test]
    fn what_could_hurt_is_refused() {
        let file = EntryType::Regular;
        let cases: [(&[(&str, EntryType, &[u8])], &str); 7] = [
            (&[("../x", file, b"")], "the path `../x`"),
            (&[("a/../../x", file, b"")], "the path `a/../../x`"),
            (&[("//etc/x", file, b"")], "the path `//etc/x`"),
            (&[("a\\b", file, b"")], "the path `a\\b`"),
            (&[("l", EntryType::Symlink, b"")], "the link `l`"),
            (&[("f", EntryType::Fifo, b"")], "`f`, which is no file"),
            (
                &[("a", file, b"1"), ("./a", file, b"2")],
                "the file `a` twice",
            ),
        ];
        for (entries, expected) in cases {
            assert_eq!(refusal(&packed(entries)), expected);
        }
        refusal(b"no archive");
        let whole = packed(&[("a", file, &[7; 9000])]);
        refusal(&whole[..whole.len() / 2]);
    }

    #[test]
    fn a_small_archive_of_much_is_refused() {
        let zeros = vec![0; 1024 * 1024];
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        for _ in 0..64 {
            encoder.write_all(&zeros).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 100_000);
        let bounds = Bounds {
            whole: 1000,
            file: 100,
            entries: 2,
        };
        let file = EntryType::Regular;
        let many = packed(&[("a", file, b""), ("b", file, b""), ("c", file, b"")]);
        let large = packed(&[("a", file, &[7; 200])]);
        let all = packed(&[("a", file, &[7; 90]), ("b", file, &[7; 90])]);
        for bytes in [&many, &large, &all] {
            assert!(unpack("b.tar.gz", bytes, bounds).is_err());
        }
        let headers = packed(&[("a", file, zeros.as_slice()); 33]);
        assert!(refusal(&headers).contains("more bytes"));
        // Zeros alone are the end of an archive, and no file.
        assert_eq!(unpack("b.tar.gz", &bomb, Bounds::BUNDLE).unwrap(), []);
    }
}
