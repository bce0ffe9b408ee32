//! x
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a: Vec<String> = std::env::args().collect();
    let mut m = towpath::Migration::builder().source(towpath_local::LocalSource::open(a[1].as_ref())?).sink(towpath_local::LocalSink::open(a[2].as_ref())?).database(&a[3]).audit_log(&a[4]).build()?;
    let mut ev = m.events();
    let l = tokio::spawn(async move { while let Some(e) = ev.next().await { if !matches!(e, towpath::Event::Synced{..}) { eprintln!("{e:?}"); } } });
    let r = m.run().await?;
    l.await?;
    eprintln!("{r:#?}");
    Ok(())
}
