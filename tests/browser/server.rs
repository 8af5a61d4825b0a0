//! The example `http_server` as a process that can be killed and started again at the same address.

use persevere_tests::example_program::{Folder, Program};

pub(crate) struct Server {
    folder: Folder,
    program: Option<Program>,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        let (program, address) = run(&folder, "127.0.0.1:0", "http_server.db");
        Self { folder, program: Some(program), address }
    }

    /// Kills the process without a chance to clean up.
    pub(crate) fn kill(&mut self) {
        self.program.take().unwrap().kill();
    }

    pub(crate) fn start_again(&mut self) {
        self.start_with("http_server.db");
    }

    pub(crate) fn start_with_another_database(&mut self) {
        self.start_with("another.db");
    }

    fn start_with(&mut self, database: &str) {
        let (program, address) = run(&self.folder, self.address.trim_start_matches("http://"), database);
        assert_eq!(address, self.address);
        self.program = Some(program);
    }

    /// Returns the cities in the log, in order.
    pub(crate) fn greeted(&self) -> Vec<String> {
        let lines = self.folder.lines("hello_cities.log");
        lines.iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

fn run(folder: &Folder, bind: &str, database: &str) -> (Program, String) {
    let mut program = folder.start("http_server", &["--bind", bind, "--database", database]);
    let line = program.wait_for("Open http://");
    let address = line.split(' ').nth(1).unwrap().to_owned();
    (program, address)
}
