//! Lets stock gRPC clients in that name a Unix socket's path as the `:authority` of their requests.
//!
//! grpcio, gRPC C++ and gRPC Java send the percent-encoded socket path, which is not an authority by
//! RFC 3986, and h2 answers it with a reset (grpc/grpc#38142). [`AuthorityAdapter`] sits between the
//! socket and h2 and looks at the first HEADERS frame of a connection. When its `:authority` parses,
//! every byte from there on passes through untouched. Otherwise this and each later header block of
//! the connection is decoded and encoded again with `localhost` in its place: once one block is
//! changed, the two ends' HPACK tables differ, so none may pass as it was. Our blocks are encoded
//! without the dynamic table and so need no state.
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use loona_hpack::Decoder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER_LEN: usize = 9;
/// Longest payload that every HTTP/2 peer must take (RFC 9113 §4.2); also what h2 announces.
const FRAME_MAX: usize = 16_384;
/// Most bytes of one encoded header block; h2's own limit for a list is 16 KiB.
const BLOCK_MAX: usize = 64 * 1024;
/// Most bytes of one decoded header list. A small block can name a large table entry many times.
const LIST_MAX: usize = 256 * 1024;
/// Most frames of one header block. Empty CONTINUATION frames would otherwise cost nothing to send.
const FRAMES_MAX: u32 = 64;
/// The dynamic table size that a peer may use before it has seen other settings, which h2 never sends.
const TABLE_MAX: usize = 4096;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// A connection whose requests always carry an authority that parses.
pub struct AuthorityAdapter<S> {
    inner: S,
    rewriter: Option<Box<Rewriter>>,
    /// Bytes that are ready for h2.
    ready: BytesMut,
    /// Reused read buffer; empty once bytes pass through untouched.
    scratch: Vec<u8>,
}

impl<S> AuthorityAdapter<S> {
    /// Wraps a connection of which nothing was read yet.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            rewriter: Some(Box::new(Rewriter::new())),
            ready: BytesMut::new(),
            scratch: vec![0; FRAME_MAX],
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for AuthorityAdapter<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.ready.is_empty() {
            let Some(rewriter) = &mut this.rewriter else {
                return Pin::new(&mut this.inner).poll_read(cx, out);
            };
            let mut chunk = ReadBuf::new(&mut this.scratch);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            rewriter.feed(chunk.filled(), &mut this.ready)?;
            if rewriter.is_done() {
                this.rewriter = None;
                this.scratch = Vec::new();
            }
        }
        let taken = this.ready.len().min(out.remaining());
        out.put_slice(&this.ready[..taken]);
        this.ready.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for AuthorityAdapter<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

impl<S: Connected> Connected for AuthorityAdapter<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.inner.connect_info()
    }
}

/// Whether the first header block decided anything yet, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// No header block was seen.
    Undecided,
    /// The authority does not parse: every block is encoded anew.
    Rewriting,
    /// The authority parses: nothing more to do.
    Untouched,
}

/// What the next bytes are.
enum Expect {
    Preface,
    FrameHeader,
    /// So many bytes of a payload that is not ours to change.
    Payload(usize),
    /// The payload of a HEADERS or CONTINUATION frame.
    Block(FrameHeader),
}

#[derive(Clone, Copy)]
struct FrameHeader {
    len: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl FrameHeader {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes else { return None };
        Some(Self {
            len: u32::from_be_bytes([0, l0, l1, l2]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff,
        })
    }

    fn write(self, out: &mut BytesMut) {
        out.put_uint(self.len as u64, 3);
        out.put_u8(self.kind);
        out.put_u8(self.flags);
        out.put_u32(self.stream);
    }
}

/// A header block that is being gathered.
struct Block {
    stream: u32,
    /// END_STREAM of the HEADERS frame.
    end_stream: u8,
    fragments: BytesMut,
    /// The frames as they came, in case they pass untouched.
    original: BytesMut,
    frames: u32,
}

/// The state machine over the bytes that the client sends. Pure: bytes in, bytes out.
struct Rewriter {
    mode: Mode,
    expect: Expect,
    pending: BytesMut,
    block: Option<Block>,
    decoder: Decoder<'static>,
}

impl Rewriter {
    fn new() -> Self {
        let mut decoder = Decoder::new();
        decoder.set_max_allowed_table_size(TABLE_MAX);
        Self {
            mode: Mode::Undecided,
            expect: Expect::Preface,
            pending: BytesMut::new(),
            block: None,
            decoder,
        }
    }

    /// Whether all later bytes may pass without being looked at.
    fn is_done(&self) -> bool {
        self.mode == Mode::Untouched
    }

    /// Takes bytes from the client and appends what h2 shall see.
    fn feed(&mut self, bytes: &[u8], out: &mut BytesMut) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        loop {
            if self.mode == Mode::Untouched {
                out.unsplit(self.pending.split());
                return Ok(());
            }
            match self.expect {
                Expect::Preface => {
                    let seen = self.pending.len().min(PREFACE.len());
                    if self.pending[..seen] != PREFACE[..seen] {
                        // Not HTTP/2: h2 has the better error message.
                        self.mode = Mode::Untouched;
                        continue;
                    }
                    if seen < PREFACE.len() {
                        return Ok(());
                    }
                    out.unsplit(self.pending.split_to(seen));
                    self.expect = Expect::FrameHeader;
                }
                Expect::FrameHeader => {
                    let Some(header) = self.pending.get(..FRAME_HEADER_LEN).and_then(FrameHeader::parse)
                    else {
                        return Ok(());
                    };
                    let is_block = matches!(header.kind, HEADERS | CONTINUATION);
                    if self.block.is_some() != (header.kind == CONTINUATION) {
                        return Err(malformed("a header block is interrupted"));
                    }
                    if is_block && header.len > FRAME_MAX {
                        return Err(malformed("a header frame is too long"));
                    }
                    self.expect = if is_block {
                        Expect::Block(header)
                    } else {
                        out.unsplit(self.pending.split_to(FRAME_HEADER_LEN));
                        Expect::Payload(header.len)
                    };
                }
                Expect::Payload(0) => self.expect = Expect::FrameHeader,
                Expect::Payload(left) => {
                    if self.pending.is_empty() {
                        return Ok(());
                    }
                    let taken = left.min(self.pending.len());
                    out.unsplit(self.pending.split_to(taken));
                    self.expect = Expect::Payload(left - taken);
                }
                Expect::Block(header) => {
                    if self.pending.len() < FRAME_HEADER_LEN + header.len {
                        return Ok(());
                    }
                    let frame = self.pending.split_to(FRAME_HEADER_LEN + header.len);
                    self.expect = Expect::FrameHeader;
                    self.take_block_frame(header, frame, out)?;
                }
            }
        }
    }

    fn take_block_frame(
        &mut self,
        header: FrameHeader,
        frame: BytesMut,
        out: &mut BytesMut,
    ) -> io::Result<()> {
        let fragment = fragment(header, &frame[FRAME_HEADER_LEN..])?;
        let mut block = match self.block.take() {
            None => Block {
                stream: header.stream,
                end_stream: header.flags & END_STREAM,
                fragments: BytesMut::new(),
                original: BytesMut::new(),
                frames: 0,
            },
            Some(block) if block.stream == header.stream => block,
            Some(_) => return Err(malformed("a header block changes its stream")),
        };
        block.frames += 1;
        block.fragments.extend_from_slice(fragment);
        if block.fragments.len() > BLOCK_MAX || block.frames > FRAMES_MAX {
            return Err(malformed("a header block is too long"));
        }
        if self.mode == Mode::Undecided {
            block.original.unsplit(frame);
        }
        if header.flags & END_HEADERS == 0 {
            self.block = Some(block);
            return Ok(());
        }
        let fields = self.decode(&block.fragments)?;
        if self.mode == Mode::Undecided {
            let parses =
                fields.iter().all(|(name, value)| name != b":authority".as_slice() || is_authority(value));
            self.mode = if parses { Mode::Untouched } else { Mode::Rewriting };
            tracing::debug!(mode = ?self.mode, "decided on the connection's authority");
        }
        match self.mode {
            Mode::Untouched => out.unsplit(block.original),
            Mode::Undecided | Mode::Rewriting => write_block(&block, &encode(&fields), out),
        }
        Ok(())
    }

    fn decode(&mut self, block: &[u8]) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut fields = Vec::new();
        let mut total = 0;
        self.decoder
            .decode_with_cb(block, |name, value| {
                // 32 bytes a field, as RFC 9113 counts a list's size.
                total += name.len() + value.len() + 32;
                if total <= LIST_MAX {
                    fields.push((name.into_owned(), value.into_owned()));
                }
            })
            .map_err(|_| malformed("a header block does not decode"))?;
        if total > LIST_MAX { Err(malformed("a header list is too long")) } else { Ok(fields) }
    }
}

/// The part of a frame's payload that belongs to the header block: without padding and priority.
fn fragment(header: FrameHeader, payload: &[u8]) -> io::Result<&[u8]> {
    if header.kind == CONTINUATION {
        return Ok(payload);
    }
    let short = || malformed("a header frame is too short");
    let mut rest = payload;
    let mut padding = 0;
    if header.flags & PADDED != 0 {
        let (&first, after) = rest.split_first().ok_or_else(short)?;
        padding = usize::from(first);
        rest = after;
    }
    if header.flags & PRIORITY != 0 {
        rest = rest.get(5..).ok_or_else(short)?;
    }
    let end = rest.len().checked_sub(padding).ok_or_else(short)?;
    Ok(&rest[..end])
}

fn is_authority(value: &[u8]) -> bool {
    http::uri::Authority::try_from(value).is_ok()
}

/// Encodes a list with literals that are not indexed (RFC 7541 §6.2.2) and strings without Huffman code.
fn encode(fields: &[(Vec<u8>, Vec<u8>)]) -> Bytes {
    let mut out = BytesMut::new();
    for (name, value) in fields {
        let value =
            if name == b":authority" && !is_authority(value) { b"localhost" } else { value.as_slice() };
        out.put_u8(0);
        put_string(name, &mut out);
        put_string(value, &mut out);
    }
    out.freeze()
}

/// A string literal (RFC 7541 §5.2): its length as an integer with a 7-bit prefix, then the bytes.
fn put_string(bytes: &[u8], out: &mut BytesMut) {
    const PREFIX_MAX: usize = 127;
    if bytes.len() < PREFIX_MAX {
        out.put_u8(bytes.len() as u8);
    } else {
        out.put_u8(PREFIX_MAX as u8);
        let mut rest = bytes.len() - PREFIX_MAX;
        while rest >= 128 {
            out.put_u8((rest % 128) as u8 | 0x80);
            rest /= 128;
        }
        out.put_u8(rest as u8);
    }
    out.put_slice(bytes);
}

/// Writes a header block as one HEADERS frame and as many CONTINUATION frames as it needs.
fn write_block(block: &Block, encoded: &[u8], out: &mut BytesMut) {
    let mut kind = HEADERS;
    let mut flags = block.end_stream;
    let mut rest = encoded;
    loop {
        let (now, later) = rest.split_at(rest.len().min(FRAME_MAX));
        if later.is_empty() {
            flags |= END_HEADERS;
        }
        FrameHeader { len: now.len(), kind, flags, stream: block.stream }.write(out);
        out.put_slice(now);
        if later.is_empty() {
            return;
        }
        (kind, flags, rest) = (CONTINUATION, 0, later);
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed HTTP/2: {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        FrameHeader { len: payload.len(), kind, flags, stream }.write(&mut out);
        out.put_slice(payload);
        out.to_vec()
    }

    /// `:authority: VALUE` as a literal with incremental indexing, static name 1.
    fn indexed_authority(value: &[u8]) -> Vec<u8> {
        let mut block = BytesMut::new();
        block.put_u8(0x41);
        put_string(value, &mut block);
        block.to_vec()
    }

    fn connection(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(4, 0, 0, &[]));
        bytes.extend(frames.concat());
        bytes
    }

    fn run(input: &[u8], step: usize) -> (Vec<u8>, Mode) {
        let mut rewriter = Rewriter::new();
        let mut out = BytesMut::new();
        for chunk in input.chunks(step) {
            rewriter.feed(chunk, &mut out).unwrap();
        }
        (out.to_vec(), rewriter.mode)
    }

    #[test]
    fn a_good_authority_passes_every_byte_untouched() {
        let headers = frame(HEADERS, END_HEADERS, 1, &indexed_authority(b"localhost"));
        let input =
            connection(&[headers, frame(0, END_STREAM, 1, b"data"), frame(HEADERS, END_HEADERS, 3, &[0xbe])]);
        for step in [1, 7, input.len()] {
            assert_eq!(run(&input, step), (input.clone(), Mode::Untouched));
        }
    }

    #[test]
    fn a_bad_authority_is_replaced_in_this_and_all_later_blocks() {
        let bad = b"%2Frun%2Fuser%2F0%2Fvitted.sock";
        let first = indexed_authority(bad);
        let (left, right) = first.split_at(4);
        let input = connection(&[
            // Padded, with priority, in two frames.
            frame(HEADERS, PADDED | PRIORITY, 1, &[&[2, 0, 0, 0, 0, 9], left, &[0, 0]].concat()),
            frame(CONTINUATION, END_HEADERS, 1, right),
            frame(0, END_STREAM, 1, b"data"),
            // The entry that the first block put into the dynamic table.
            frame(HEADERS, END_HEADERS | END_STREAM, 3, &[0xbe]),
        ]);
        let good = encode(&[(b":authority".to_vec(), b"localhost".to_vec())]);
        let expected = connection(&[
            frame(HEADERS, END_HEADERS, 1, &good),
            frame(0, END_STREAM, 1, b"data"),
            frame(HEADERS, END_HEADERS | END_STREAM, 3, &good),
        ]);
        for step in [1, 5, input.len()] {
            assert_eq!(run(&input, step), (expected.clone(), Mode::Rewriting));
        }
    }

    #[test]
    fn long_blocks_are_split_and_bombs_refused() {
        let mut block = indexed_authority(b"%2F");
        block.extend([0x40, 1, b'a']);
        let mut value = BytesMut::new();
        put_string(&[b'v'; 4000], &mut value);
        block.extend(&value);
        // 0xbe names the 4,000-byte entry.
        let seven = [block.clone(), vec![0xbe; 6]].concat();
        let (out, _) = run(&connection(&[frame(HEADERS, END_HEADERS, 1, &seven)]), 1 << 20);
        assert!(out.len() > 28_000);
        let bomb = [block, vec![0xbe; 10_000]].concat();
        let mut rewriter = Rewriter::new();
        let error =
            rewriter.feed(&connection(&[frame(HEADERS, END_HEADERS, 1, &bomb)]), &mut BytesMut::new());
        assert!(error.is_err());
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut state = 1_u64;
        for _ in 0..2_000 {
            let mut input = PREFACE.to_vec();
            for _ in 0..64 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let len = (state >> 40) as usize % 24;
                let payload: Vec<u8> = (0..len).map(|i| (state >> (i % 56)) as u8).collect();
                let kind = if state & 1 == 0 { HEADERS } else { (state >> 8) as u8 % 10 };
                input.extend(frame(kind, (state >> 16) as u8, 1, &payload));
            }
            let mut rewriter = Rewriter::new();
            for chunk in input.chunks(11) {
                if rewriter.feed(chunk, &mut BytesMut::new()).is_err() {
                    break;
                }
            }
        }
    }
}
