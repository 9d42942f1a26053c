//! Handlers that are named: functions, of which rustc knows what they take.
//!
//! A closure must have a plain `Fn` bound, by which rustc infers its parameters. Of a
//! function they are known, so that what it takes can be compared with what it is
//! given, and the difference told in one sentence.

/// A function of these arguments, a tuple.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "a handler is an `async fn`, or an `async` closure"
)]
pub trait Function<Taken> {
    /// What it returns.
    type Answer;

    /// Calls it.
    fn call(&self, taken: Taken) -> Self::Answer;
}

macro_rules! functions {
    ($(($($value:ident: $Type:ident),*))*) => {$(
        #[diagnostic::do_not_recommend]
        impl<Named, Answer, $($Type),*> Function<($($Type,)*)> for Named
        where
            Named: Fn($($Type),*) -> Answer,
        {
            type Answer = Answer;

            fn call(&self, ($($value,)*): ($($Type,)*)) -> Answer {
                self($($value),*)
            }
        }
    )*};
}

// One more than a declaration can give, so that a function which takes too many is
// still told what it is given.
functions! {
    ()
    (a: A)
    (a: A, b: B)
    (a: A, b: B, c: C)
    (a: A, b: B, c: C, d: D)
    (a: A, b: B, c: C, d: D, e: E)
    (a: A, b: B, c: C, d: D, e: E, f: F)
    (a: A, b: B, c: C, d: D, e: E, f: F, g: G)
    (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H)
    (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I)
    (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J)
}

/// The arguments of a handler, a tuple, which must be what its declaration gives.
#[diagnostic::on_unimplemented(
    message = "this handler takes other arguments than it is given",
    label = "takes `{Self}`, but is given `{Given}`",
    note = "first comes the event, then what stands behind the path in `(…)`, in this order, then the message; \
            a `SignalEvent` is of the type that its signal sends"
)]
pub trait Takes<Given> {
    /// Passes them on.
    fn of(given: Given) -> Self;
}

/// Calls what makes a handler; called in the user's code, a handler itself would be
/// asked for its arguments.
pub fn called<Named, Taken, Made>(named: Named) -> Taken::Made<Made>
where
    Named: Function<Taken, Answer = Made>,
    Taken: Nothing,
{
    Taken::called(named)
}

/// No arguments.
#[diagnostic::on_unimplemented(
    message = "a handler is named, not called",
    label = "this takes `{Self}`: write its name without `()`"
)]
pub trait Nothing: Sized {
    /// What the function makes, as rustc knows it only for a function that takes
    /// nothing: otherwise there is no second mistake.
    type Made<Made>;

    /// Calls the function.
    fn called<Named: Function<Self>>(named: Named) -> Self::Made<Named::Answer>;
}

#[diagnostic::do_not_recommend]
impl Nothing for () {
    type Made<Made> = Made;

    fn called<Named: Function<()>>(named: Named) -> Named::Answer {
        named.call(())
    }
}

/// The same type. As a bound of [`Takes`], it is checked only when rustc knows what
/// the function takes; as that itself, it would say so first.
pub trait Same<Other> {
    /// Passes it on.
    fn same(other: Other) -> Self;
}

impl<Given> Same<Given> for Given {
    fn same(given: Given) -> Given {
        given
    }
}

#[diagnostic::do_not_recommend]
impl<Given, Taken: Same<Given>> Takes<Given> for Taken {
    fn of(given: Given) -> Taken {
        Taken::same(given)
    }
}
