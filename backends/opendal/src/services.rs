//! The services that have a feature, as backends for the registry.
