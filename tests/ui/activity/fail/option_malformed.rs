use persevere::prelude::*;

#[activity(name)]
async fn without_value() -> Result<(), ActivityError> {
    Ok(())
}

#[activity(name = work)]
async fn value_of_another_kind() -> Result<(), ActivityError> {
    Ok(())
}

#[activity(name = "a" + "b")]
async fn more_than_a_value() -> Result<(), ActivityError> {
    Ok(())
}

#[activity("work")]
async fn without_key() -> Result<(), ActivityError> {
    Ok(())
}

#[activity(name: "work")]
async fn colon() -> Result<(), ActivityError> {
    Ok(())
}

fn main() {}
