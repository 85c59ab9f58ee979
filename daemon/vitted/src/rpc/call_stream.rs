//! The results of a call, one message after the other.
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use vitte_loader::{Reply, Value};
use vitte_proto::v1;
use vitte_proto::v1::call_stream_response::Event;

use super::stream::ResponseStream;
use super::value::to_message;
use crate::operation::duration;
use crate::service::Service;
use crate::status::Refusal;

/// Messages that wait for a client that reads slowly, before the next one is made.
const WAITING_MAX: usize = 16;
/// Largest piece of bytes or text in one message.
const PIECE_MAX: usize = 64 << 10;

/// Sends what a function gave, until `over`.
pub(crate) fn send(
    service: &Arc<Service>,
    reply: Reply<Vec<Value>>,
    over: Instant,
) -> ResponseStream<v1::CallStreamResponse> {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let sending =
        service.keep(async move { timeout_at(over, send_all(reply, sender)).await.map_err(|_| late()) });
    // How it ended comes behind what was sent before.
    let ending = stream::once(sending).filter_map(|sent| async move {
        match sent {
            Ok(Ok(())) => None,
            Ok(Err(refusal)) => Some(Err(Status::from(refusal))),
            Err(_) => Some(Err(Refusal::internal("the results could not be sent").into())),
        }
    });
    Box::pin(ReceiverStream::new(receiver).map(Ok).chain(ending))
}

/// Ends early when nobody receives any more.
async fn send_all(reply: Reply<Vec<Value>>, sender: mpsc::Sender<v1::CallStreamResponse>) {
    let Reply { module, version, generation, tier, results, elapsed } = reply;
    let started = v1::CallStarted {
        module: module.as_str().to_owned(),
        version,
        generation,
        tier: tier.name().to_owned(),
        elapsed: Some(duration(elapsed)),
    };
    let mut count = 0;
    if sender.send(message(Event::Started(started))).await.is_err() {
        return;
    }
    for item in results.into_iter().flat_map(items) {
        if sender.send(message(Event::Item(to_message(item)))).await.is_err() {
            return;
        }
        count += 1;
    }
    // If nobody is there any more, nobody misses it.
    let _ = sender.send(message(Event::Ended(v1::CallEnded { items: count }))).await;
}

fn message(event: Event) -> v1::CallStreamResponse {
    v1::CallStreamResponse { event: Some(event) }
}

fn late() -> Refusal {
    let message = "the results were not received in the time that the call has";
    Refusal::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", message.to_owned())
}

/// What is sent of a result: items of a list, pieces of bytes and text, or itself.
fn items(result: Value) -> Box<dyn Iterator<Item = Value> + Send> {
    match result {
        Value::List(values) => Box::new(values.into_iter()),
        Value::Bytes(bytes) => {
            let mut at = 0;
            Box::new(std::iter::from_fn(move || {
                let end = (at + PIECE_MAX).min(bytes.len());
                let piece = bytes.get(at..end).filter(|piece| !piece.is_empty())?.to_vec();
                at = end;
                Some(Value::Bytes(piece))
            }))
        }
        Value::String(text) => {
            let mut at = 0;
            Box::new(std::iter::from_fn(move || {
                let end = text.floor_char_boundary(at + PIECE_MAX);
                let piece = text.get(at..end).filter(|piece| !piece.is_empty())?.to_owned();
                at = end;
                Some(Value::String(piece))
            }))
        }
        other => Box::new(std::iter::once(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_go_item_by_item_and_bytes_and_text_in_pieces() {
        let sent = |value: Value| items(value).collect::<Vec<Value>>();
        assert_eq!(sent(Value::List(vec![Value::U8(1), Value::U8(2)])), [Value::U8(1), Value::U8(2)]);
        assert_eq!(sent(Value::Bool(true)), [Value::Bool(true)]);
        assert!(sent(Value::List(vec![])).is_empty() && sent(Value::String(String::new())).is_empty());
        let bytes = vec![7; 2 * PIECE_MAX + 1];
        assert_eq!(
            sent(Value::Bytes(bytes)),
            [vec![7; PIECE_MAX], vec![7; PIECE_MAX], vec![7]].map(Value::Bytes)
        );
        // Its characters have three bytes, so that no piece ends at its bound.
        let text = "€".repeat(PIECE_MAX);
        let pieces = sent(Value::String(text.clone()));
        let whole: String = pieces
            .iter()
            .map(|piece| match piece {
                Value::String(piece) => piece.as_str(),
                _ => "?",
            })
            .collect();
        assert_eq!((pieces.len(), whole == text), (4, true));
    }
}
