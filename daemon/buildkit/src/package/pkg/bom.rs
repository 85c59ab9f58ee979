//! Bills of materials: what a package installs, as `lsbom` lists it. A file of numbered blocks, with named ones that lead to
//! trees; `Paths` has an entry for each path. Numbers have the order of the network.
use std::collections::BTreeMap;

use crate::stage::{Content, Stage};

/// Entries of a leaf.
const LEAF: usize = 256;
/// Blocks that the table has room for at least, as Apple's tool writes it.
const BLOCKS_MIN: usize = 2048;
const HEADER: usize = 512;

#[derive(Default)]
struct Blocks(Vec<Vec<u8>>);

impl Blocks {
    /// Adds a block; gives its number, which is never 0.
    fn add(&mut self, bytes: Vec<u8>) -> u32 {
        self.0.push(bytes);
        self.0.len() as u32
    }
}

/// Numbers in the order of the network.
fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

pub(super) fn write(stage: &Stage) -> Vec<u8> {
    let mut blocks = Blocks::default();
    let mut paths: Vec<(u32, u32)> = Vec::new();
    let mut identities: BTreeMap<String, u32> = BTreeMap::new();
    // Kind and mode; the bytes of a file, the target of a link.
    type About<'a> = (u32, u16, Option<&'a [u8]>, &'a str);
    let mut all: BTreeMap<String, About<'_>> = BTreeMap::new();
    all.insert(".".to_owned(), (2, 0o40_755, None, ""));
    for folder in stage.folders() {
        all.insert(format!("./{folder}"), (2, 0o40_755, None, ""));
    }
    for (path, entry) in stage.entries() {
        let known = match &entry.content {
            Content::File(bytes) => (1, 0o100_000 | entry.mode as u16, Some(bytes.as_slice()), ""),
            Content::Link(target) => (3, 0o120_777, None, target.as_str()),
        };
        all.insert(format!("./{path}"), known);
    }
    for (path, (kind, mode, bytes, target)) in all {
        let identity = identities.len() as u32 + 1;
        let (above, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let above = identities.get(above).copied().unwrap_or(0);
        let checksum = match (bytes, target) {
            (Some(bytes), _) => posix_checksum(bytes),
            (None, "") => 0,
            (None, target) => posix_checksum(target.as_bytes()),
        };
        let size = bytes.map_or(target.len(), <[u8]>::len) as u32;
        // Kind, unknown, architecture, mode, owner, group, time, size, unknown, checksum, length of a link's target.
        let mut about = vec![kind as u8, 1];
        about.extend(15u16.to_be_bytes());
        about.extend(mode.to_be_bytes());
        about.extend(words(&[0, 0, 0, size]));
        about.push(1);
        about.extend(words(&[checksum, if target.is_empty() { 0 } else { target.len() as u32 + 1 }]));
        about.extend_from_slice(target.as_bytes());
        about.push(0);
        let about = blocks.add(about);
        let info = blocks.add(words(&[identity, about]));
        let mut file = words(&[above]);
        file.extend_from_slice(name.as_bytes());
        file.push(0);
        let file = blocks.add(file);
        paths.push((info, file));
        identities.insert(path, identity);
    }
    let count = paths.len() as u32;
    let tree = tree(&mut blocks, &paths);
    let empty_index = empty_tree(&mut blocks);
    let empty_sizes = empty_tree(&mut blocks);
    let info = blocks.add(words(&[1, count, 0]));
    let index = {
        let mut bytes = words(&[1, empty_index, 127]);
        bytes.push(0);
        blocks.add(bytes)
    };
    let names = [("BomInfo", info), ("Paths", tree), ("VIndex", index), ("Size64", empty_sizes)];
    file_of(&blocks, &names)
}

/// A tree of leaves under one node, or of one leaf.
fn tree(blocks: &mut Blocks, entries: &[(u32, u32)]) -> u32 {
    let leaves: Vec<&[(u32, u32)]> = entries.chunks(LEAF).collect();
    let first = blocks.0.len() as u32 + 1;
    for (number, leaf) in leaves.iter().enumerate() {
        let at = first + number as u32;
        let forward = if number + 1 < leaves.len() { at + 1 } else { 0 };
        let backward = if number > 0 { at - 1 } else { 0 };
        blocks.add(node(true, leaf, forward, backward));
    }
    let root = if leaves.len() == 1 {
        first
    } else {
        // A node names, for each child, the last key in it.
        let children: Vec<(u32, u32)> = leaves
            .iter()
            .enumerate()
            .map(|(number, leaf)| (first + number as u32, leaf.last().map_or(0, |(_, key)| *key)))
            .collect();
        blocks.add(node(false, &children, 0, 0))
    };
    root_of(blocks, root, entries.len() as u32)
}

fn node(is_leaf: bool, entries: &[(u32, u32)], forward: u32, backward: u32) -> Vec<u8> {
    let mut bytes = u16::from(is_leaf).to_be_bytes().to_vec();
    bytes.extend((entries.len() as u16).to_be_bytes());
    bytes.extend(words(&[forward, backward]));
    for (value, key) in entries {
        bytes.extend(words(&[*value, *key]));
    }
    bytes
}

fn root_of(blocks: &mut Blocks, root: u32, count: u32) -> u32 {
    let mut bytes = b"tree".to_vec();
    bytes.extend(words(&[1, root, 4096, count]));
    bytes.push(0);
    blocks.add(bytes)
}

fn empty_tree(blocks: &mut Blocks) -> u32 {
    let leaf = blocks.add(node(true, &[], 0, 0));
    root_of(blocks, leaf, 0)
}

/// Header, blocks, table of blocks, names of blocks.
fn file_of(blocks: &Blocks, names: &[(&str, u32)]) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    let mut places = vec![(0, 0)];
    for block in &blocks.0 {
        out.resize(out.len().next_multiple_of(16), 0);
        places.push((out.len() as u32, block.len() as u32));
        out.extend_from_slice(block);
    }
    out.resize(out.len().next_multiple_of(16), 0);
    let index = out.len();
    let room = places.len().max(BLOCKS_MIN);
    out.extend(words(&[room as u32]));
    for number in 0..room {
        let (place, size) = places.get(number).copied().unwrap_or_default();
        out.extend(words(&[place, size]));
    }
    // No free places.
    out.extend(words(&[0, 0, 0, 0, 0]));
    let index_size = out.len() - index;
    let variables = out.len();
    out.extend(words(&[names.len() as u32]));
    for (name, block) in names {
        out.extend(words(&[*block]));
        out.push(name.len() as u8);
        out.extend_from_slice(name.as_bytes());
    }
    let variables_size = out.len() - variables;
    let mut header = b"BOMStore".to_vec();
    header.extend(words(&[
        1,
        blocks.0.len() as u32,
        index as u32,
        index_size as u32,
        variables as u32,
        variables_size as u32,
    ]));
    out[..header.len()].copy_from_slice(&header);
    out
}

/// The checksum of POSIX's `cksum`.
fn posix_checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: u8| {
        let mut value = sum ^ u32::from(byte) << 24;
        for _ in 0..8 {
            value = if value & 0x8000_0000 == 0 { value << 1 } else { value << 1 ^ 0x04c1_1db7 };
        }
        value
    };
    let sum = bytes.iter().fold(0, |sum, byte| step(sum, *byte));
    let mut length = bytes.len();
    let mut sum = sum;
    while length > 0 {
        sum = step(sum, length as u8);
        length >>= 8;
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::posix_checksum;

    #[test]
    fn the_checksum_is_that_of_cksum() {
        assert_eq!(posix_checksum(b""), 4_294_967_295);
        assert_eq!(posix_checksum(b"123456789"), 930_766_865);
    }
}
