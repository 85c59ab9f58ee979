//! What crosses between the service and a library's process: frames of a `u32` length and a body, numbers
//! little-endian.
//!
//! The service decodes what a process wrote that runs anybody's code, so every length is checked against the
//! frame, and frames are bounded.
use std::io::{self, Read, Write};

/// Most bytes of a frame's body.
pub const FRAME_MAX: usize = 64 << 20;
/// Most values of a call.
const VALUES_MAX: usize = 256;

/// A value that crosses. Which kind is right, the table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number as bits: integers extended to 64 bits by their sign, `f32` in the low half.
    Number(u64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// No text.
    Nothing,
}

/// From the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Loads a library and finds all functions of its table.
    Open {
        /// Its number in calls; one that was not given before.
        id: u32,
        /// The file, or a name that the system finds.
        library: String,
        /// The text of the table.
        table: String,
    },
    /// Calls a function.
    Call {
        /// Of which library, by its number.
        library: u32,
        /// Its place in the table.
        function: u32,
        /// What callers give.
        arguments: Vec<Value>,
    },
    /// What an import gave; answers [`Reply::Import`].
    Answer(Vec<Value>),
    /// The import has failed in a way that its library is told; answers [`Reply::Import`].
    Fail(String),
}

/// From the library's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The library is loaded.
    Opened,
    /// It is not.
    Refused(String),
    /// What callers get.
    Results(Vec<Value>),
    /// The function, by its own convention, has failed; or it was not called.
    Failed(String),
    /// The function calls an import, and goes on when that is answered. Meanwhile other functions can be called.
    Import {
        /// Of which library, by its number.
        library: u32,
        /// Its place among the imports of the table.
        import: u32,
        /// What the library gives.
        arguments: Vec<Value>,
    },
    /// The function has called an import in a way that it cannot go on from.
    Abandoned(String),
}

/// A body that breaks the rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is malformed at byte {offset}: {what}")]
pub struct MessageError {
    /// At which byte of the body.
    pub offset: usize,
    /// Which rule.
    pub what: &'static str,
}

const OPEN: u8 = 1;
const CALL: u8 = 2;
const OPENED: u8 = 3;
const REFUSED: u8 = 4;
const RESULTS: u8 = 5;
const FAILED: u8 = 6;
const ANSWER: u8 = 7;
const FAIL: u8 = 8;
const IMPORT: u8 = 9;
const ABANDONED: u8 = 10;
const NUMBER: u8 = 0;
const TEXT: u8 = 1;
const BYTES: u8 = 2;
const NOTHING: u8 = 3;

impl Request {
    /// The body of a frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(64);
        match self {
            Self::Open { id, library, table } => {
                body.push(OPEN);
                body.extend_from_slice(&id.to_le_bytes());
                put_bytes(&mut body, library.as_bytes());
                put_bytes(&mut body, table.as_bytes());
            }
            Self::Call { library, function, arguments } => {
                body.push(CALL);
                body.extend_from_slice(&library.to_le_bytes());
                body.extend_from_slice(&function.to_le_bytes());
                put_values(&mut body, arguments);
            }
            Self::Answer(values) => {
                body.push(ANSWER);
                put_values(&mut body, values);
            }
            Self::Fail(why) => {
                body.push(FAIL);
                put_bytes(&mut body, why.as_bytes());
            }
        }
        body
    }

    /// The request in the body of a frame.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn decode(body: &[u8]) -> Result<Self, MessageError> {
        let mut cursor = Cursor { body, at: 0 };
        let request = match cursor.u8()? {
            OPEN => Self::Open { id: cursor.u32()?, library: cursor.text()?, table: cursor.text()? },
            CALL => {
                Self::Call { library: cursor.u32()?, function: cursor.u32()?, arguments: cursor.values()? }
            }
            ANSWER => Self::Answer(cursor.values()?),
            FAIL => Self::Fail(cursor.text()?),
            _ => return Err(cursor.error("no such request")),
        };
        cursor.end()?;
        Ok(request)
    }
}

impl Reply {
    /// The body of a frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(64);
        match self {
            Self::Opened => body.push(OPENED),
            Self::Refused(why) => {
                body.push(REFUSED);
                put_bytes(&mut body, why.as_bytes());
            }
            Self::Results(values) => {
                body.push(RESULTS);
                put_values(&mut body, values);
            }
            Self::Failed(why) => {
                body.push(FAILED);
                put_bytes(&mut body, why.as_bytes());
            }
            Self::Import { library, import, arguments } => {
                body.push(IMPORT);
                body.extend_from_slice(&library.to_le_bytes());
                body.extend_from_slice(&import.to_le_bytes());
                put_values(&mut body, arguments);
            }
            Self::Abandoned(why) => {
                body.push(ABANDONED);
                put_bytes(&mut body, why.as_bytes());
            }
        }
        body
    }

    /// The reply in the body of a frame.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn decode(body: &[u8]) -> Result<Self, MessageError> {
        let mut cursor = Cursor { body, at: 0 };
        let reply = match cursor.u8()? {
            OPENED => Self::Opened,
            REFUSED => Self::Refused(cursor.text()?),
            RESULTS => Self::Results(cursor.values()?),
            FAILED => Self::Failed(cursor.text()?),
            IMPORT => {
                Self::Import { library: cursor.u32()?, import: cursor.u32()?, arguments: cursor.values()? }
            }
            ABANDONED => Self::Abandoned(cursor.text()?),
            _ => return Err(cursor.error("no such reply")),
        };
        cursor.end()?;
        Ok(reply)
    }
}

fn put_bytes(body: &mut Vec<u8>, bytes: &[u8]) {
    // What is longer than a frame is refused when the frame is sent.
    body.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    body.extend_from_slice(bytes);
}

fn put_values(body: &mut Vec<u8>, values: &[Value]) {
    body.extend_from_slice(&u32::try_from(values.len()).unwrap_or(u32::MAX).to_le_bytes());
    for value in values {
        match value {
            Value::Number(bits) => {
                body.push(NUMBER);
                body.extend_from_slice(&bits.to_le_bytes());
            }
            Value::Text(text) => {
                body.push(TEXT);
                put_bytes(body, text.as_bytes());
            }
            Value::Bytes(bytes) => {
                body.push(BYTES);
                put_bytes(body, bytes);
            }
            Value::Nothing => body.push(NOTHING),
        }
    }
}

struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn error(&self, what: &'static str) -> MessageError {
        MessageError { offset: self.at, what }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MessageError> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let Some((taken, _)) = rest.split_first_chunk::<N>() else {
            return Err(self.error("it ends too early"));
        };
        self.at += N;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, MessageError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, MessageError> {
        self.array().map(u32::from_le_bytes)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, MessageError> {
        let length = self.u32()? as usize;
        let end = self.at.checked_add(length).filter(|end| *end <= self.body.len());
        let taken = end.and_then(|end| self.body.get(self.at..end));
        let taken = taken.ok_or_else(|| self.error("it ends too early"))?;
        self.at += length;
        Ok(taken.to_vec())
    }

    fn text(&mut self) -> Result<String, MessageError> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes).map_err(|_| self.error("text is not UTF-8"))
    }

    fn values(&mut self) -> Result<Vec<Value>, MessageError> {
        let count = self.u32()? as usize;
        if count > VALUES_MAX {
            return Err(self.error("too many values"));
        }
        (0..count)
            .map(|_| match self.u8()? {
                NUMBER => self.array().map(u64::from_le_bytes).map(Value::Number),
                TEXT => self.text().map(Value::Text),
                BYTES => self.bytes().map(Value::Bytes),
                NOTHING => Ok(Value::Nothing),
                _ => Err(self.error("no such value")),
            })
            .collect()
    }

    fn end(&self) -> Result<(), MessageError> {
        if self.at == self.body.len() { Ok(()) } else { Err(self.error("something comes after it")) }
    }
}

/// A frame around `body`.
///
/// # Errors
/// When it is too long.
pub fn frame(body: &[u8]) -> io::Result<Vec<u8>> {
    if body.len() > FRAME_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the values are too long for a message"));
    }
    let mut whole = Vec::with_capacity(4 + body.len());
    whole.extend_from_slice(&(body.len() as u32).to_le_bytes());
    whole.extend_from_slice(body);
    Ok(whole)
}

/// Reads a frame's body; `None` at the end of the stream.
///
/// # Errors
/// What the stream says, and a length beyond [`FRAME_MAX`].
pub(crate) fn read_frame(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > FRAME_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = Vec::new();
    Read::by_ref(stream).take(length as u64).read_to_end(&mut body)?;
    if body.len() == length { Ok(Some(body)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Writes a frame.
///
/// # Errors
/// What the stream says, and a body that is too long.
pub(crate) fn write_frame(stream: &mut impl Write, body: &[u8]) -> io::Result<()> {
    stream.write_all(&frame(body)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn messages_round_trip_and_every_cut_is_seen() {
        let values = vec![
            Value::Number(u64::MAX),
            Value::Text("é".into()),
            Value::Bytes(vec![0, 255]),
            Value::Nothing,
        ];
        let requests = [
            Request::Open { id: 3, library: "libz.so.1".into(), table: "vitffi = 1".into() },
            Request::Call { library: 3, function: 7, arguments: values.clone() },
            Request::Answer(values.clone()),
            Request::Fail("no".into()),
        ];
        for request in requests {
            let body = request.encode();
            assert_eq!(Request::decode(&body), Ok(request));
            for length in 0..body.len() {
                assert!(Request::decode(&body[..length]).is_err());
            }
        }
        let replies = [
            Reply::Opened,
            Reply::Refused("no".into()),
            Reply::Results(values.clone()),
            Reply::Failed("no".into()),
            Reply::Import { library: 3, import: 1, arguments: values },
            Reply::Abandoned("no".into()),
        ];
        for reply in replies {
            let mut body = reply.encode();
            assert_eq!(Reply::decode(&body), Ok(reply));
            body.push(0);
            assert!(Reply::decode(&body).is_err());
        }
    }

    #[test]
    fn lengths_are_believed_only_as_far_as_the_frame_goes() {
        let mut body = vec![TEXT_REPLY];
        body.extend_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Reply::decode(&body).unwrap_err().what, "it ends too early");
        let mut many = vec![RESULTS];
        many.extend_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Reply::decode(&many).unwrap_err().what, "too many values");
        let mut stream = &[255_u8, 255, 255, 255][..];
        assert!(read_frame(&mut stream).is_err());
    }

    const TEXT_REPLY: u8 = REFUSED;
}
