//! The annotated functions as the library calls them: with any number of inputs after the parameter that depends on the
//! kind of function. Because of this, the macros generate no code that runs, and only one place requires a future to be
//! `Send`.

use std::future::Future;

/// A function with the inputs `I`, after the first parameter that `S` determines.
///
/// It is implemented for the type of every such function, for the lifetime of what the function borrows.
#[doc(hidden)]
pub trait Function<'a, S, I>: Copy + Send + Sync + 'static {
    /// The first parameter, before the inputs.
    type First;
    /// The return type.
    type Return;
    /// Its future.
    type Future: Future<Output = Self::Return> + Send;
    /// Calls the function.
    fn run(self, first: Self::First, inputs: I) -> Self::Future;
}

/// An activity that takes only its inputs.
#[derive(Debug)]
pub enum Alone {}

/// An activity that also takes its context.
#[derive(Debug)]
pub struct InContext<C>(C);

/// An activity that is a method of a service.
#[derive(Debug)]
pub struct OfService<S>(S);

/// An activity that is a method of a service and also takes its context.
#[derive(Debug)]
pub struct OfServiceInContext<S, C>(S, C);

/// An orchestrator, which owns its context.
#[derive(Debug)]
pub struct Orchestration<C>(C);

macro_rules! functions {
    ($($ty:ident $place:tt)*) => {
        functions!(@ [] Alone, (), (), _first, [], $($ty $place)*);
        functions!(@ [C] InContext<C>, (&'a C,), (&'a C), first, [first.0], $($ty $place)*);
        functions!(@ [S] OfService<S>, (&'a S,), (&'a S), first, [first.0], $($ty $place)*);
        functions!(@ [S, C] OfServiceInContext<S, C>, (&'a S, &'a C), (&'a S, &'a C), first, [first.0, first.1], $($ty $place)*);
        functions!(@ [C] Orchestration<C>, (C,), (C), first, [first.0], $($ty $place)*);
    };
    (@ [$($generic:ident),*] $shape:ty, $first:ty, ($($taken:ty),*), $name:ident, [$($given:expr),*], $($ty:ident $place:tt)*) => {
        impl<'a, Function_, Future_, $($generic: 'a,)* $($ty),*> Function<'a, $shape, ($($ty,)*)> for Function_
        where
            Function_: Fn($($taken,)* $($ty),*) -> Future_ + Copy + Send + Sync + 'static,
            Future_: Future + Send,
        {
            type First = $first;
            type Return = Future_::Output;
            type Future = Future_;

            fn run(self, $name: $first, _inputs: ($($ty,)*)) -> Future_ {
                self($($given,)* $(_inputs.$place),*)
            }
        }
    };
}
functions!();
functions!(A 0);
functions!(A 0 B 1);
functions!(A 0 B 1 D 2);
functions!(A 0 B 1 D 2 E 3);
functions!(A 0 B 1 D 2 E 3 F 4);
functions!(A 0 B 1 D 2 E 3 F 4 G 5);
functions!(A 0 B 1 D 2 E 3 F 4 G 5 H 6);
functions!(A 0 B 1 D 2 E 3 F 4 G 5 H 6 I 7);
functions!(A 0 B 1 D 2 E 3 F 4 G 5 H 6 I 7 J 8);
functions!(A 0 B 1 D 2 E 3 F 4 G 5 H 6 I 7 J 8 K 9);
functions!(A 0 B 1 D 2 E 3 F 4 G 5 H 6 I 7 J 8 K 9 L 10);
functions!(A 0 B 1 D 2 E 3 F 4 G 5 H 6 I 7 J 8 K 9 L 10 M 11);
functions!(A 0 B 1 D 2 E 3 F 4 G 5 H 6 I 7 J 8 K 9 L 10 M 11 N 12);
functions!(A 0 B 1 D 2 E 3 F 4 G 5 H 6 I 7 J 8 K 9 L 10 M 11 N 12 O 13);
functions!(A 0 B 1 D 2 E 3 F 4 G 5 H 6 I 7 J 8 K 9 L 10 M 11 N 12 O 13 P 14);
functions!(A 0 B 1 D 2 E 3 F 4 G 5 H 6 I 7 J 8 K 9 L 10 M 11 N 12 O 13 P 14 Q 15);
