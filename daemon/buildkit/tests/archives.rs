//! Archives of anybody's making: what leaves its folder, what is larger than it says, and what is damaged.
#![allow(clippy::unwrap_used, clippy::panic)]
use std::io::Write;

use vitte_buildkit::archive::{Archive, Limits, extract, read, write};
use vitte_buildkit::{Content, Entry, Kind, Stage};

fn stage(files: &[(&str, &[u8])]) -> Stage {
    let mut stage = Stage::default();
    for (path, bytes) in files {
        let entry = Entry { mode: 0o644, kind: Kind::Other, content: Content::File(bytes.to_vec()) };
        stage.add(path, entry, "test").unwrap();
    }
    stage
}

/// A tar archive with one entry, whatever its name.
fn tar_with(kind: tar::EntryType, name: &[u8], link: &str) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(0o644);
    if !link.is_empty() {
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(bytes.len() + 1024, 0);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_was_written_is_read_and_extracted() {
    let mut stage = stage(&[("a/b/c.txt", b"text"), ("a/d", b""), ("e", &[7; 100_000])]);
    let long = format!("{}/{}", "long".repeat(25), "name".repeat(25));
    let link = Entry { mode: 0o777, kind: Kind::Other, content: Content::Link("b/c.txt".into()) };
    stage.add("a/link", link, "test").unwrap();
    stage
        .add(&long, Entry { mode: 0o755, kind: Kind::Other, content: Content::File(vec![1]) }, "test")
        .unwrap();
    for archive in Archive::ALL {
        let bytes = write(&stage, "top", archive, 1_700_000_000).unwrap();
        assert_eq!(bytes, write(&stage, "top", archive, 1_700_000_000).unwrap());
        let back = read(&bytes, archive, Limits::default()).unwrap();
        let names: Vec<_> =
            back.entries().map(|(path, entry)| (path.to_owned(), entry.content.clone())).collect();
        let wanted: Vec<_> =
            stage.entries().map(|(path, entry)| (format!("top/{path}"), entry.content.clone())).collect();
        assert_eq!(names, wanted, "{archive:?}");
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        assert_eq!(extract(&bytes, archive, &out, Limits::default()).unwrap(), 5);
        assert_eq!(std::fs::read(out.join("top/a/link")).unwrap(), b"text");
        assert!(extract(&bytes, archive, &out, Limits::default()).is_err(), "the folder is not empty");
    }
}

#[test]
fn tricks_with_paths_are_refused() {
    use tar::EntryType;
    let cases: [(EntryType, &[u8], &str); 10] = [
        (EntryType::Regular, b"../escape", ""),
        (EntryType::Regular, b"/etc/passwd", ""),
        (EntryType::Regular, b"a/../../b", ""),
        (EntryType::Regular, b"a//b", ""),
        (EntryType::Regular, b"a\\b", ""),
        (EntryType::Directory, b"../up/", ""),
        (EntryType::Symlink, b"link", "/etc/passwd"),
        (EntryType::Symlink, b"link", "../out"),
        (EntryType::Link, b"hard", "other"),
        (EntryType::Char, b"device", ""),
    ];
    for (kind, name, link) in cases {
        let bytes = tar_with(kind, name, link);
        let shown = String::from_utf8_lossy(name).into_owned();
        assert!(read(&bytes, Archive::TarGz, Limits::default()).is_err(), "{shown} -> {link}");
    }
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("../escape", zip::write::SimpleFileOptions::default()).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    assert!(read(&bytes, Archive::Zip, Limits::default()).is_err());
}

#[test]
fn bombs_are_refused_whatever_they_say_of_themselves() {
    let zeros = vec![0; 2 << 20];
    let large = stage(&[("zeros", &zeros)]);
    let many: Vec<String> = (0..50).map(|number| format!("f{number}")).collect();
    let many = stage(&many.iter().map(|name| (name.as_str(), &b"x"[..])).collect::<Vec<_>>());
    for archive in Archive::ALL {
        let small = Limits { bytes: 1 << 20, entries: 20, ..Limits::default() };
        let bytes = write(&large, "", archive, 1_700_000_000).unwrap();
        assert!(bytes.len() < 1 << 20, "{archive:?}");
        assert!(read(&bytes, archive, small).is_err(), "{archive:?}");
        let bytes = write(&many, "", archive, 1_700_000_000).unwrap();
        assert!(read(&bytes, archive, small).is_err(), "{archive:?}");
        assert!(read(&bytes, archive, Limits::default()).is_ok(), "{archive:?}");
    }
}

/// What asks for more memory than it may is refused before any of it is taken.
#[test]
fn dictionaries_and_windows_that_are_too_large_are_refused() {
    let tar = {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(300_000);
        header.set_mode(0o644);
        builder.append_data(&mut header, "zeros", &vec![0; 300_000][..]).unwrap();
        builder.into_inner().unwrap()
    };
    let mut options = lzma_rust2::XzOptions::with_preset(6);
    options.lzma_options.dict_size = 256 << 20;
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(&tar).unwrap();
    let told = read(&writer.finish().unwrap(), Archive::TarXz, Limits::default()).unwrap_err();
    assert!(told.to_string().contains("memory"), "{told}");
    let small = Limits { window: 1 << 20, ..Limits::default() };
    for archive in [Archive::TarXz, Archive::TarZst] {
        let large: Vec<u8> = (0..1_000_000_u32).flat_map(|number| (number / 3).to_le_bytes()).collect();
        let bytes = write(&stage(&[("numbers", &large)]), "", archive, 1_700_000_000).unwrap();
        assert!(read(&bytes, archive, Limits::default()).is_ok(), "{archive:?}");
        assert!(read(&bytes, archive, small).is_err(), "{archive:?}");
    }
}

#[test]
fn damage_is_an_error_and_nothing_else() {
    let stage = stage(&[("a", b"some text that is compressed"), ("b/c", &[3; 5000])]);
    for archive in Archive::ALL {
        let bytes = write(&stage, "top", archive, 1_700_000_000).unwrap();
        for length in (0..bytes.len()).step_by(17) {
            let _ = read(&bytes[..length], archive, Limits::default());
        }
        let mut state = 0x1234_5678_u64;
        for _ in 0..60 {
            let mut damaged = bytes.clone();
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % damaged.len();
            damaged[at] ^= 1 << (state >> 61);
            let _ = read(&damaged, archive, Limits { bytes: 1 << 20, entries: 100, ..Limits::default() });
        }
        assert!(read(&bytes[..bytes.len() / 2], archive, Limits::default()).is_err(), "{archive:?}");
    }
}
