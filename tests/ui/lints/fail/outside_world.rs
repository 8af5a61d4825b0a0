use persevere::prelude::*;
use std::net::TcpStream;
use std::{env, fs};

mod reqwest {
    pub async fn get(_: &str) -> Result<u8, std::io::Error> {
        Ok(1)
    }
}
mod sqlx {
    pub fn query(_: &str) {}
}

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let _home = env::var("HOME");
    let _text = fs::read_to_string("order.json");
    let _file = std::fs::File::open("order.json");
    let _answer = reqwest::get("https://example.org").await?;
    let _stream = TcpStream::connect("localhost:80");
    let _listing = std::process::Command::new("ls");
    if false {
        std::process::exit(1);
    }
    sqlx::query("select 1");
    Ok(())
}

fn main() {}
