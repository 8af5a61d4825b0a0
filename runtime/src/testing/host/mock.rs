//! Closures that answer in place of activities.

/// A closure with the parameters and the return type of an activity. `Inputs` are its parameters as a tuple, without
/// its context.
///
/// Closures that take up to 8 parameters implement it. They may change what they have captured.
#[diagnostic::on_unimplemented(
    message = "the closure does not fit the activity",
    label = "must take the parameters `{Inputs}` and return `{Return}`",
    note = "the context of the activity is not a parameter of its mock"
)]
pub trait Mock<Inputs, Return>: Send + 'static {
    #[doc(hidden)]
    fn __answer(&mut self, inputs: Inputs) -> Return;
}

macro_rules! closures {
    ($($ty:ident $value:ident)*) => {
        impl<Closure, $($ty,)* Return> Mock<($($ty,)*), Return> for Closure
        where
            Closure: FnMut($($ty),*) -> Return + Send + 'static,
        {
            fn __answer(&mut self, ($($value,)*): ($($ty,)*)) -> Return {
                self($($value),*)
            }
        }
    };
}
closures!();
closures!(A a);
closures!(A a B b);
closures!(A a B b C c);
closures!(A a B b C c D d);
closures!(A a B b C c D d E e);
closures!(A a B b C c D d E e F f);
closures!(A a B b C c D d E e F f G g);
closures!(A a B b C c D d E e F f G g H h);
