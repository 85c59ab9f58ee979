//! An operation's events as a response stream.
use std::pin::Pin;
use std::time::Duration;

use tokio_stream::Stream;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use vitte_proto::v1;
use vitte_proto::v1::event::Kind;

use crate::operation::Subscription;
use crate::status::Refusal;

/// A response stream.
pub type ResponseStream<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

/// All events, each wrapped by `wrap`; after the last event of a failed operation, its status.
pub fn events<R: Send + 'static>(subscription: Subscription, wrap: fn(v1::Event) -> R) -> ResponseStream<R> {
    enum Next {
        Event(Subscription),
        Status(Status),
    }
    Box::pin(futures_util::stream::unfold(Some(Next::Event(subscription)), move |next| async move {
        match next? {
            Next::Status(status) => Some((Err(status), None)),
            Next::Event(mut subscription) => {
                let event = subscription.next().await?;
                let next = match failure(&event) {
                    Some(status) => Next::Status(status),
                    None => Next::Event(subscription),
                };
                Some((Ok(wrap(event)), Some(next)))
            }
        }
    }))
}

fn failure(event: &v1::Event) -> Option<Status> {
    let Some(Kind::OperationFinished(finished)) = &event.kind else { return None };
    let v1::Failure { code, reason, message, help, output } = finished.failure.clone()?;
    let refusal = Refusal { code: Code::from_i32(code), reason: reason.into(), message, help, output };
    Some(refusal.into())
}

/// The deadline that the caller set for this call (`grpc-timeout`), if any.
///
/// tonic applies it until the response begins; long work must end with it too.
///
/// # Errors
/// When the header is malformed.
pub fn deadline(metadata: &MetadataMap) -> Result<Option<Duration>, Refusal> {
    let Some(value) = metadata.get("grpc-timeout") else { return Ok(None) };
    let malformed = || Refusal::bad_field("grpc-timeout", "is malformed");
    let text = value.to_str().map_err(|_| malformed())?;
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(malformed)?;
    let amount: u64 = digits.parse().map_err(|_| malformed())?;
    let duration = match unit {
        "H" => Duration::from_secs(amount.saturating_mul(3600)),
        "M" => Duration::from_secs(amount.saturating_mul(60)),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return Err(malformed()),
    };
    Ok(Some(duration))
}
