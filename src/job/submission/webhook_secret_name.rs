//! Names of webhook secrets.

use crate::job::queue::name_type::name_type;

name_type! {
    /// Name of a webhook secret, in the form of a queue name. A callback names the secret that signs it, never its
    /// value. Cheap to clone.
    WebhookSecretName
}
