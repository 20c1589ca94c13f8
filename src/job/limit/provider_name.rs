//! Names of providers.

use crate::job::queue::name_type::name_type;

name_type! {
    /// Name of a provider, in the form of a queue name. Cheap to clone.
    ProviderName
}
