//! One unary call without a runtime: for commands that must feel like nothing, such as `daemon status`.
//!
//! The smallest HTTP/2 client that can be (RFC 9113): one stream, literal header fields, one message
//! each way. On any surprise it gives up, and the caller uses the full client, which has better errors.
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// An answer longer than this is none of those that this client is for.
const MESSAGE_MAX: usize = 16 * 1024;
/// A service that takes longer has a problem, and the full client waits better.
const PATIENCE: Duration = Duration::from_secs(2);

/// Calls `path` (`/package.Service/Method`) with an empty message; the bytes of the answer's message.
pub fn call(mut socket: UnixStream, path: &str) -> Option<Vec<u8>> {
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.set_write_timeout(Some(PATIENCE)).ok()?;
    socket.write_all(&request(path)?).ok()?;
    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(answer) = answer(&received) {
            return answer;
        }
        let count = socket.read(&mut chunk).ok().filter(|&count| count > 0)?;
        received.extend_from_slice(chunk.get(..count)?);
        if received.len() > MESSAGE_MAX {
            return None;
        }
    }
}

fn request(path: &str) -> Option<Vec<u8>> {
    // Indexes of RFC 7541, appendix A: 3 is `:method: POST`, 6 `:scheme: http`, 4 `:path`, 1 `:authority`, 31 `content-type`.
    let mut headers = vec![0x83, 0x86];
    literal(&mut headers, &[0x04], path)?;
    literal(&mut headers, &[0x01], "localhost")?;
    literal(&mut headers, &[0x0f, 31 - 15], "application/grpc")?;
    literal(&mut headers, &[0x00, 2, b't', b'e'], "trailers")?;
    let mut bytes = PREFACE.to_vec();
    frame(&mut bytes, SETTINGS, 0, 0, &[])?;
    frame(&mut bytes, HEADERS, END_HEADERS, 1, &headers)?;
    // An empty message: not compressed, length 0.
    frame(&mut bytes, DATA, END_STREAM, 1, &[0; 5])?;
    Some(bytes)
}

fn literal(out: &mut Vec<u8>, name: &[u8], value: &str) -> Option<()> {
    out.extend_from_slice(name);
    out.push(u8::try_from(value.len()).ok().filter(|&length| length < 127)?);
    out.extend_from_slice(value.as_bytes());
    Some(())
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Option<()> {
    out.extend_from_slice(&[0, 0, u8::try_from(payload.len()).ok()?, kind, flags, 0, 0, 0, stream]);
    out.extend_from_slice(payload);
    Some(())
}

/// `None` while more bytes are needed, `Some(None)` when there will be no answer.
fn answer(mut bytes: &[u8]) -> Option<Option<Vec<u8>>> {
    let mut message = Vec::new();
    loop {
        let (header, rest) = bytes.split_first_chunk::<9>()?;
        let &[l0, l1, l2, kind, flags, ..] = header;
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let (payload, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        match kind {
            // h2 pads nothing.
            DATA => message.extend_from_slice(payload),
            // Trailers before the message was complete: an error.
            HEADERS if flags & END_STREAM != 0 => return Some(None),
            // RST_STREAM, GOAWAY
            3 | 7 => return Some(None),
            _ => {}
        }
        if let Some((&[compressed, a, b, c, d], body)) = message.split_first_chunk::<5>() {
            let expected = u32::from_be_bytes([a, b, c, d]) as usize;
            if compressed != 0 || expected > MESSAGE_MAX {
                return Some(None);
            }
            if let Some(body) = body.get(..expected) {
                return Some(Some(body.to_vec()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_answer_may_come_in_pieces() {
        let mut bytes = Vec::new();
        frame(&mut bytes, SETTINGS, 0, 0, &[]).unwrap();
        frame(&mut bytes, HEADERS, END_HEADERS, 1, &[0x88]).unwrap();
        frame(&mut bytes, DATA, 0, 1, &[0, 0, 0, 0, 2, b'h']).unwrap();
        assert_eq!(answer(&bytes), None);
        frame(&mut bytes, DATA, 0, 1, b"i").unwrap();
        assert_eq!(answer(&bytes), Some(Some(b"hi".to_vec())));
    }

    #[test]
    fn an_error_has_no_answer() {
        let mut bytes = Vec::new();
        frame(&mut bytes, HEADERS, END_HEADERS | END_STREAM, 1, &[0x88]).unwrap();
        assert_eq!(answer(&bytes), Some(None));
    }
}
