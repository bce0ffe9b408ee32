//! Setters of structs with public fields.

/// One setter for each field, which takes the given type.
macro_rules! setters {
    ($($field:ident: $argument:ty,)*) => {$(
        #[doc = concat!("Sets [`", stringify!($field), "`](#structfield.", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, $field: $argument) -> Self {
            self.$field = $field.into();
            self
        }
    )*};
}
pub(crate) use setters;
