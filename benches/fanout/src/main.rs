//! The command: measures, draws, and is each of the servers, too.

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this needs Linux");
    std::process::exit(2);
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args().skip(1);
    let result = match arguments.next().as_deref() {
        Some("serve") => match (arguments.next(), arguments.next().map(|paths| paths.parse())) {
            (Some(name), Some(Ok(paths))) => {
                let certificate = arguments.next().map(std::path::PathBuf::from);
                pode_fanout::server::serve(&name, paths, certificate.as_deref())
            }
            _ => Err(std::io::Error::other("usage: pode-fanout serve NAME PATHS [FOLDER]")),
        },
        Some("draw") => run::draw(arguments),
        Some("tables") => run::tables(arguments),
        first => run::measure(first.map(str::to_owned).into_iter().chain(arguments)),
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
mod run {
    use std::path::PathBuf;
    use std::{env, fs, io};

    use pode_fanout::process::{Program, cores, pin, raise_descriptor_limit};
    use pode_fanout::round::{Round, Setting, measure as measure_once};
    use pode_fanout::server::NAMES;
    use pode_fanout::workload::{Kind, WORKLOADS, Workload};
    use pode_fanout::{draw, peers, table};

    const USAGE: &str = "usage: pode-fanout [WORKLOAD …] [--rounds N] [--seconds S] \
                         [--servers NAME,…] [--peers] [--quick] [--share SHARE]
       pode-fanout tables [WORKLOAD …] [--share SHARE]
       pode-fanout draw [--share SHARE]";

    /// Memory hardly differs from round to round.
    const IDLE_ROUNDS: usize = 3;

    /// A round whose generator got less of its core than this while it could
    /// run tells of the machine, not of the server.
    const MIN_GENERATOR_SHARE: f64 = 0.97;

    struct Plan {
        workloads: Vec<Workload>,
        programs: Vec<Program>,
        rounds: usize,
        seconds: f64,
        share: f64,
    }

    pub(super) fn measure(arguments: impl Iterator<Item = String>) -> io::Result<()> {
        let plan = plan(arguments)?;
        raise_descriptor_limit()?;
        let cores = cores()?;
        let [server_core, .., generator_core] = cores[..] else {
            return Err(io::Error::other("this needs two cores: one serves, one listens"));
        };
        pin(&[generator_core])?;
        let setting = Setting { seconds: plan.seconds, server_cores: &[server_core] };
        let mut rounds = saved(plan.share)?;
        let measured =
            |round: &Round| plan.workloads.iter().any(|workload| workload.name == round.workload);
        rounds.retain(|round| !measured(round));
        for workload in &plan.workloads {
            let mut programs: Vec<&Program> =
                plan.programs.iter().filter(|program| workload.includes(&program.name)).collect();
            let idle = workload.kind == Kind::Idle;
            let count = if idle { plan.rounds.min(IDLE_ROUNDS) } else { plan.rounds };
            for number in 0..count {
                for program in &programs {
                    match measure_once(workload, program, setting) {
                        Ok(round) => {
                            let dropped = round.generator_share < plan.share;
                            rounds.push(Round { round: number, dropped, ..round });
                        }
                        Err(error) => {
                            eprintln!(
                                "{}, round {number}, {}: {error}",
                                workload.name, program.name
                            );
                        }
                    }
                }
                // Whoever is first in one round is last in the next.
                programs.rotate_left(1);
                save(&rounds)?;
            }
            println!("{}", table::markdown(workload, &rounds));
        }
        println!("The rounds are in {}", folder()?.join("rounds.jsonl").display());
        Ok(())
    }

    pub(super) fn tables(arguments: impl Iterator<Item = String>) -> io::Result<()> {
        let plan = plan(arguments)?;
        let rounds = saved(plan.share)?;
        let measured =
            |workload: &Workload| rounds.iter().any(|round| round.workload == workload.name);
        for workload in plan.workloads.into_iter().filter(measured) {
            println!("{}", table::markdown(&workload, &rounds));
        }
        Ok(())
    }

    pub(super) fn draw(arguments: impl Iterator<Item = String>) -> io::Result<()> {
        let page = folder()?.join("rounds.html");
        fs::write(&page, draw::page(&saved(plan(arguments)?.share)?))?;
        println!("open {}", page.display());
        Ok(())
    }

    fn plan(mut arguments: impl Iterator<Item = String>) -> io::Result<Plan> {
        let usage = || io::Error::other(USAGE);
        let mut workloads = Vec::new();
        let mut servers: Vec<String> = NAMES.map(str::to_owned).into();
        let (mut rounds, mut seconds, mut peers) = (10, 2.0, false);
        let mut share = MIN_GENERATOR_SHARE;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(usage);
            match argument.as_str() {
                "--rounds" => rounds = value()?.parse().map_err(|_| usage())?,
                "--seconds" => seconds = value()?.parse().map_err(|_| usage())?,
                "--servers" => servers = value()?.split(',').map(str::to_owned).collect(),
                "--share" => share = value()?.parse().map_err(|_| usage())?,
                "--peers" => peers = true,
                "--quick" => (rounds, seconds) = (1, 0.2),
                name => workloads.push(Workload::find(name).ok_or_else(usage)?),
            }
        }
        if workloads.is_empty() {
            workloads = WORKLOADS.into();
        }
        let this = env::current_exe()?;
        let programs = servers.into_iter().map(|name| {
            let command = vec![this.clone().into(), "serve".into(), name.clone().into()];
            Program { name, command }
        });
        let mut programs: Vec<Program> = programs.collect();
        if peers {
            programs.extend(peers::fetch(&folder()?.join("peers"))?);
        }
        Ok(Plan { workloads, programs, rounds, seconds, share })
    }

    /// Returns the folder of results, beside that of the build.
    fn folder() -> io::Result<PathBuf> {
        let program = env::current_exe()?;
        let target = program.ancestors().nth(2).ok_or(io::ErrorKind::NotFound)?;
        let folder = target.join("fanout");
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Reads the rounds of earlier measurements, and drops those whose
    /// generator had less than this share of its core.
    fn saved(share: f64) -> io::Result<Vec<Round>> {
        let text = match fs::read_to_string(folder()?.join("rounds.jsonl")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let round = |line| {
            let mut round: Round = serde_json::from_str(line)?;
            round.dropped = round.generator_share < share;
            Ok(round)
        };
        text.lines().map(round).collect()
    }

    fn save(rounds: &[Round]) -> io::Result<()> {
        let lines = rounds.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        fs::write(folder()?.join("rounds.jsonl"), lines.join("\n") + "\n")
    }
}
