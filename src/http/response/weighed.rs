//! Bodies of answers, whose size counts until they are sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::ResponseError;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::web::{Bytes, Data};

use crate::http::problem::Rejection;
use crate::http::request::auth::credential::Credential;
use crate::http::request::auth::key_end::KeyEnd;
use crate::server::{AnswerBudget, AnswerWeight, Handle};

/// Size up to which an answer is not counted. The number of connections bounds the size of all of them.
const LIGHT_BYTES: usize = 16 << 10;

/// Size of the parts in which a large answer is passed on. actix-web copies each part into its buffer, and
/// takes no further one until the buffer is sent.
pub(in crate::http) const PART_BYTES: usize = 32 << 10;

/// Extension of a response whose stream must be complete: if it ends early, the connection is broken off, so
/// that the client notices.
pub(in crate::http) struct WholeStream;

/// Error of a stream that must be complete and ends early.
#[derive(Debug, thiserror::Error)]
#[error("the answer ends early: its key or token has ended, or too many answers are not sent yet")]
struct EndsEarly;

/// The body of an answer.
pub(in crate::http) enum AnswerBody {
    /// Small, or without a server to count it.
    Light(BoxBody),
    /// Large. It is passed on in parts, and counts until the last one is passed on.
    Heavy { rest: Bytes, _weight: AnswerWeight },
    /// Of a length that is not known. Each large part of it counts.
    /// It ends early if the key of its request ends.
    Stream {
        body: BoxBody,
        rest: Option<(Bytes, AnswerWeight)>,
        budget: Arc<AnswerBudget>,
        key_end: Option<KeyEnd>,
        is_whole: bool,
    },
}

/// Counts an answer. A read whose answer has no room is refused.
pub(in crate::http) fn weigh<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
) -> ServiceResponse<AnswerBody> {
    let size = response.response().body().size();
    let is_light = match size {
        BodySize::None => true,
        BodySize::Sized(bytes) => bytes <= LIGHT_BYTES as u64,
        BodySize::Stream => false,
    };
    let handle = response.request().app_data::<Data<Handle>>().filter(|_| !is_light);
    let Some(budget) = handle.map(|handle| Arc::clone(handle.answer_budget())) else {
        return response.map_body(|_, body| AnswerBody::Light(body.boxed()));
    };
    let (request, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(rest) if request.method().is_safe() => match budget.weigh_read(rest.len()) {
            Ok(weight) => AnswerBody::Heavy { rest, _weight: weight },
            Err(error) => {
                let refusal = Rejection::from(error)
                    .error_response()
                    .map_body(|_, body| AnswerBody::Light(body));
                return ServiceResponse::new(request, refusal);
            }
        },
        Ok(rest) => {
            let reserved = response.extensions_mut().remove::<AnswerWeight>();
            let weight = match reserved {
                Some(weight) => weight.resize(rest.len()),
                None => budget.weigh_effect(rest.len()),
            };
            AnswerBody::Heavy { rest, _weight: weight }
        }
        Err(body) => {
            let is_whole = response.extensions_mut().remove::<WholeStream>().is_some();
            AnswerBody::Stream { body: body.boxed(), rest: None, budget, key_end: None, is_whole }
        }
    };
    ServiceResponse::new(request, response.set_body(body))
}

/// Ends a stream when the key or token of its request ends.
pub(in crate::http) fn end_with(
    response: ServiceResponse<AnswerBody>,
    credential: Option<Credential>,
) -> ServiceResponse<AnswerBody> {
    let Some(credential) = credential else { return response };
    if response.response().body().size() != BodySize::Stream {
        return response;
    }
    response.map_body(|_, mut body| {
        if let AnswerBody::Stream { key_end, .. } = &mut body {
            *key_end = Some(KeyEnd::new(credential));
        }
        body
    })
}

/// Removes the next part from a body.
fn next_part(rest: &mut Bytes) -> Bytes {
    rest.split_to(rest.len().min(PART_BYTES))
}

impl MessageBody for AnswerBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        match self {
            Self::Light(body) | Self::Stream { body, .. } => body.size(),
            Self::Heavy { rest, .. } => BodySize::Sized(rest.len() as u64),
        }
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        match &mut *self {
            Self::Light(body) => Pin::new(body).poll_next(context),
            Self::Heavy { rest, .. } if rest.is_empty() => Poll::Ready(None),
            Self::Heavy { rest, .. } => Poll::Ready(Some(Ok(next_part(rest)))),
            Self::Stream { body, rest, budget, key_end, is_whole } => {
                // Another stream that ends early is opened again by its client.
                let early_end = || is_whole.then(|| Err(EndsEarly.into()));
                if key_end.as_ref().is_some_and(KeyEnd::has_come) {
                    return Poll::Ready(early_end());
                }
                if rest.is_none() {
                    let next = Pin::new(body).poll_next(context);
                    if let (Poll::Pending, Some(key_end)) = (&next, key_end) {
                        return key_end.poll(context).map(|()| early_end());
                    }
                    let part = match ready!(next) {
                        Some(Ok(part)) if part.len() > PART_BYTES => part,
                        other => return Poll::Ready(other),
                    };
                    let Ok(weight) = budget.weigh_read(part.len()) else {
                        return Poll::Ready(early_end());
                    };
                    *rest = Some((part, weight));
                }
                let part = rest.as_mut().map(|(bytes, _)| next_part(bytes));
                if rest.as_ref().is_some_and(|(bytes, _)| bytes.is_empty()) {
                    *rest = None;
                }
                Poll::Ready(part.map(Ok))
            }
        }
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        match self {
            Self::Light(body) => body.try_into_bytes().map_err(Self::Light),
            other => Err(other),
        }
    }
}
