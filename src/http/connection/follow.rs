//! Follows each request and its answer for the connection that they belong to.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_http::error::PayloadError;
use actix_http::{ConnectionType, HttpMessage, Payload, Request};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, apply_fn_factory};
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::web::Bytes;
use futures_util::{Stream, future};

use super::progress::Progress;

/// Maximum size of a body that no handler reads and whose connection is kept, in bytes.
const MAX_DROPPED_BYTES: usize = 64 << 10;

/// Wraps an application, so that the [`Progress`] of each connection follows its requests and answers.
pub(super) fn follow<F, S, B>(
    app: F,
) -> impl ServiceFactory<
    Request,
    Config = AppConfig,
    Response = ServiceResponse<FollowedBody<B>>,
    Error = S::Error,
    InitError = S::InitError,
    Service = impl Service<
        Request,
        Response = ServiceResponse<FollowedBody<B>>,
        Error = S::Error,
        Future: 'static,
    > + 'static,
    Future: 'static,
> + 'static
where
    F: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Error: 'static,
    B: MessageBody + Unpin + 'static,
{
    apply_fn_factory(app, |mut request: Request, service: &S::Service| {
        let followed = Followed::start(&mut request);
        let call = service.call(request);
        async move {
            match followed {
                Some(followed) => followed.answer(call).await,
                None => Ok(call.await?.map_body(|_, body| FollowedBody { body, progress: None })),
            }
        }
    })
}

/// A request whose connection is followed.
struct Followed {
    progress: Rc<Progress>,
    /// The body, if no handler reads it.
    dropped: Option<DroppedBody>,
    is_chunked: bool,
}

impl Followed {
    fn start(request: &mut Request) -> Option<Self> {
        let progress = Rc::clone(request.conn_data::<Rc<Progress>>()?);
        let has_body = !matches!(request.payload(), Payload::None);
        progress.head_complete(has_body);
        let is_chunked = has_body && request.chunked().unwrap_or(false);
        // No handler of a GET or HEAD reads a body.
        let is_dropped = has_body && request.method().is_safe();
        let dropped = is_dropped.then(|| DroppedBody { payload: request.take_payload(), bytes: 0 });
        if has_body && !is_dropped {
            let payload = request.take_payload();
            let body = RequestBody { payload, progress: Rc::clone(&progress) };
            *request.payload() = Payload::Stream { payload: Box::pin(body) };
        }
        Some(Self { progress, dropped, is_chunked })
    }

    /// Waits for the answer, and receives the body meanwhile if no handler reads it.
    async fn answer<B: MessageBody + Unpin, E>(
        mut self,
        call: impl Future<Output = Result<ServiceResponse<B>, E>>,
    ) -> Result<ServiceResponse<FollowedBody<B>>, E> {
        let answer = if let Some(body) = &mut self.dropped {
            body.receive_beside(call, &self.progress).await
        } else {
            call.await
        };
        // actix-http keeps receiving a chunked body that nobody reads, for as long as it comes. A body with
        // a length closes the connection by itself.
        let closes = self.is_chunked && self.progress.has_unread_body();
        if closes {
            self.progress.close_after_answer();
        }
        let Ok(mut response) = answer else {
            self.progress.answer_ended();
            return answer.map(|response| {
                response.map_body(|_, body| FollowedBody { body, progress: None })
            });
        };
        if closes {
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        if let BodySize::Sized(bytes) = response.response().body().size() {
            self.progress.answer_starts(bytes);
        }
        let progress = Some(self.progress);
        Ok(response.map_body(|_, body| FollowedBody { body, progress }))
    }
}

/// A body that a handler reads. It records its end.
///
/// The task of a connection polls its handler after each part of a body that it passes on. So a handler in
/// that task need not be woken, which would have the connection polled once more for each request.
struct RequestBody {
    payload: Payload,
    progress: Rc<Progress>,
}

impl Stream for RequestBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut not_woken = Context::from_waker(Waker::noop());
        let is_own_task = self.progress.is_task_of(context);
        let context = if is_own_task { &mut not_woken } else { context };
        let part = Pin::new(&mut self.payload).poll_next(context);
        if matches!(part, Poll::Ready(None)) {
            self.progress.body_complete();
        }
        part
    }
}

/// A body that no handler reads.
struct DroppedBody {
    payload: Payload,
    bytes: usize,
}

impl DroppedBody {
    /// Receives the body until `call` is done. actix-http decodes what has arrived with the head only after
    /// it has called the handler, so an answer that is there at once waits for that.
    async fn receive_beside<T>(&mut self, call: impl Future<Output = T>, progress: &Progress) -> T {
        let mut call = std::pin::pin!(call);
        let answer = future::poll_fn(|context| {
            self.poll(context, progress);
            call.as_mut().poll(context)
        })
        .await;
        let mut has_waited = false;
        future::poll_fn(|context| {
            self.poll(context, progress);
            if has_waited || !progress.has_unread_body() {
                return Poll::Ready(());
            }
            has_waited = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        answer
    }

    /// Receives as much as has arrived, up to [`MAX_DROPPED_BYTES`].
    fn poll(&mut self, context: &mut Context<'_>, progress: &Progress) {
        while self.bytes <= MAX_DROPPED_BYTES {
            match Pin::new(&mut self.payload).poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) => self.bytes += bytes.len(),
                Poll::Ready(None) => return progress.body_complete(),
                Poll::Ready(Some(Err(_))) | Poll::Pending => return,
            }
        }
    }
}

/// The body of an answer, which records its end.
pub(super) struct FollowedBody<B> {
    body: B,
    progress: Option<Rc<Progress>>,
}

impl<B> Drop for FollowedBody<B> {
    fn drop(&mut self) {
        if let Some(progress) = &self.progress {
            progress.answer_ended();
        }
    }
}

impl<B: MessageBody + Unpin> MessageBody for FollowedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// A task that counts how often it is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_body_wakes_a_reader_in_another_task_than_that_of_the_connection() {
        let progress = Rc::new(Progress::new());
        progress.head_complete(true);
        let (mut sender, payload) = actix_http::h1::Payload::create(false);
        let payload = Payload::H1 { payload };
        let mut body = RequestBody { payload, progress: Rc::clone(&progress) };
        let [own, other] = [(); 2].map(|()| Arc::new(Task::default()));
        progress.set_task(&Context::from_waker(&Waker::from(Arc::clone(&own))));
        for task in [&own, &other] {
            let waker = Waker::from(Arc::clone(task));
            let mut poll = || Pin::new(&mut body).poll_next(&mut Context::from_waker(&waker));
            assert!(poll().is_pending());
            sender.feed_data(Bytes::from_static(b"part"));
            assert!(matches!(poll(), Poll::Ready(Some(Ok(part))) if part == "part"));
        }
        let woken = [own, other].map(|task| task.0.load(Ordering::SeqCst));
        assert_eq!(woken, [0, 1]);
        assert!(progress.has_unread_body());
        sender.feed_eof();
        let end = Pin::new(&mut body).poll_next(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(end, Poll::Ready(None)) && !progress.has_unread_body());
    }
}
