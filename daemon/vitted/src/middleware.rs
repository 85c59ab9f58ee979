//! What every call passes through: a span with its method, its caller and its outcome.
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Request, Response};
use tower::{Layer, Service};
use tracing::{Span, debug, debug_span};

use crate::connections::Client;

/// Wraps a service so that each call has a span.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestSpans;

impl<S> Layer<S> for RequestSpans {
    type Service = WithSpan<S>;

    fn layer(&self, inner: S) -> WithSpan<S> {
        WithSpan { inner }
    }
}

/// A service whose calls have spans.
#[derive(Clone, Debug)]
pub struct WithSpan<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for WithSpan<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Unpin,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = InSpan<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let client = request.extensions().get::<Client>();
        let span = debug_span!(
            "call",
            method = request.uri().path(),
            connection = client.map(|client| client.id),
            pid = client.map(|client| client.peer.pid)
        );
        let began = Instant::now();
        let future = span.in_scope(|| self.inner.call(request));
        InSpan { future, span, began }
    }
}

/// A call in its span. It ends when the response begins; a stream's own operation has a span too.
#[derive(Debug)]
pub struct InSpan<F> {
    future: F,
    span: Span,
    began: Instant,
}

impl<F, R, E> Future for InSpan<F>
where
    F: Future<Output = Result<Response<R>, E>> + Unpin,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let _entered = this.span.enter();
        let outcome = ready!(Pin::new(&mut this.future).poll(cx));
        let elapsed_us = this.began.elapsed().as_micros() as u64;
        // A unary error has its status in the headers; 0 is not sent there.
        let status = outcome.as_ref().ok().and_then(|response| response.headers().get("grpc-status"));
        debug!(
            elapsed_us,
            status = status.and_then(|status| status.to_str().ok()).unwrap_or("0"),
            "answered"
        );
        Poll::Ready(outcome)
    }
}
