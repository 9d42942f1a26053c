//! `Debug` for types of which most fields have no such form or say nothing.

/// Writes `Debug` for a type: its name, and the values that are given of it.
macro_rules! debug_form {
    ($Type:ident $(<$Parameter:ident>)?, |$it:pat_param| { $($name:ident: $value:expr),* }) => {
        impl$(<$Parameter>)? std::fmt::Debug for $Type$(<$Parameter>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let $it = self;
                f.debug_struct(stringify!($Type))
                    $(.field(stringify!($name), &$value))*
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use debug_form;
