//! XAR archives: a header, a compressed table of contents in XML, and the files behind it.
use std::fmt::Write as _;
use std::io::Write as _;

use sha1::{Digest, Sha1};

use crate::digest::{Date, hex};

/// An archive in the making.
pub(super) struct Xar {
    time: u64,
    /// Name, bytes as they are kept, how they are encoded, size and digest when they are not.
    files: Vec<(String, Vec<u8>, &'static str, usize, String)>,
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(9));
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

impl Xar {
    pub(super) fn new(time: u64) -> Self {
        Self { time, files: Vec::new() }
    }

    /// Adds a file; `compress` where it is not compressed by itself.
    pub(super) fn add(&mut self, name: &str, bytes: Vec<u8>, compress: bool) {
        let digest = hex(&Sha1::digest(&bytes));
        let size = bytes.len();
        if compress {
            self.files.push((name.to_owned(), deflated(&bytes), "application/x-gzip", size, digest));
        } else {
            self.files.push((name.to_owned(), bytes, "application/octet-stream", size, digest));
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let date = Date::of(self.time).iso();
        let mut toc = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xar>\n <toc>\n");
        let _ = writeln!(toc, "  <creation-time>{}</creation-time>", date.trim_end_matches('Z'));
        // The digest of the table itself is the first thing behind it.
        toc.push_str(
            "  <checksum style=\"sha1\">\n   <offset>0</offset>\n   <size>20</size>\n  </checksum>\n",
        );
        let mut heap: Vec<u8> = vec![0; 20];
        for (number, (name, bytes, encoding, size, digest)) in self.files.iter().enumerate() {
            let archived = hex(&Sha1::digest(bytes));
            let _ = write!(
                toc,
                "  <file id=\"{}\">\n   <data>\n    <length>{}</length>\n    <offset>{}</offset>\n    <size>{size}</size>\n    \
                 <encoding style=\"{encoding}\"/>\n    <extracted-checksum style=\"sha1\">{digest}</extracted-checksum>\n    \
                 <archived-checksum style=\"sha1\">{archived}</archived-checksum>\n   </data>\n   <mtime>{date}</mtime>\n   \
                 <uid>0</uid>\n   <gid>0</gid>\n   <mode>0644</mode>\n   <type>file</type>\n   <name>{name}</name>\n  </file>\n",
                number + 1,
                bytes.len(),
                heap.len(),
            );
            heap.extend_from_slice(bytes);
        }
        toc.push_str(" </toc>\n</xar>\n");
        let compressed = deflated(toc.as_bytes());
        heap[..20].copy_from_slice(&Sha1::digest(&compressed));
        let mut out = b"xar!".to_vec();
        // Size of this header, version, sizes of the table, SHA-1. Numbers have the order of the network.
        out.extend(28u16.to_be_bytes());
        out.extend(1u16.to_be_bytes());
        out.extend((compressed.len() as u64).to_be_bytes());
        out.extend((toc.len() as u64).to_be_bytes());
        out.extend(1u32.to_be_bytes());
        out.extend(compressed);
        out.extend(heap);
        out
    }
}
