struct Work;

fn main() {
    let _ = persevere::registry![Work];
}
