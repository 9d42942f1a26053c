//! The command: measures, draws, and runs as each of the servers, too.

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this needs Linux");
    std::process::exit(2);
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::io::Error;

    use pode_fanout::server::{nginx, serve};

    let mut arguments = std::env::args().skip(1);
    let result = match arguments.next().as_deref() {
        Some("serve") => match (arguments.next(), paths_and_folder(&mut arguments)) {
            (Some(name), Some((paths, folder))) => serve(&name, paths, folder.as_deref()),
            _ => Err(Error::other("usage: pode-fanout serve NAME PATHS [CERTIFICATE]")),
        },
        Some(name @ ("nginx" | "nginx-history")) => {
            match (arguments.next(), paths_and_folder(&mut arguments)) {
                (Some(packages), Some((paths, folder))) => {
                    let history = name == "nginx-history";
                    nginx::serve(packages.as_ref(), paths, folder.as_deref(), history)
                }
                _ => Err(Error::other("usage: pode-fanout nginx PACKAGES PATHS [CERTIFICATE]")),
            }
        }
        Some("growth") => run::growth(arguments),
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

/// Reads the last arguments of every server program.
#[cfg(target_os = "linux")]
fn paths_and_folder(
    arguments: &mut impl Iterator<Item = String>,
) -> Option<(usize, Option<std::path::PathBuf>)> {
    let paths = arguments.next()?.parse().ok()?;
    Some((paths, arguments.next().map(Into::into)))
}

#[cfg(target_os = "linux")]
mod run {
    use std::path::PathBuf;
    use std::{env, fs, io};

    use pode_fanout::growth::{self, AXES, Axis, POINTS};
    use pode_fanout::process::{Program, cores, pin, raise_descriptor_limit};
    use pode_fanout::round::{Round, Setting, measure as measure_once};
    use pode_fanout::server::NAMES;
    use pode_fanout::workload::{Kind, WORKLOADS, Workload};
    use pode_fanout::{draw, peers, table};

    const USAGE: &str = "usage: pode-fanout [WORKLOAD …] [--rounds N] [--seconds S] \
                         [--servers NAME,…] [--peers] [--quick] [--share SHARE]
       pode-fanout growth [AXIS …] [the same options]
       pode-fanout tables [WORKLOAD … AXIS …] [--share SHARE]
       pode-fanout draw [--share SHARE]
axes: clients, paths, payload, cores";

    /// Memory hardly differs from round to round.
    const IDLE_ROUNDS: usize = 3;

    /// A round whose generator got a smaller share of its core than this while it
    /// could run measures the machine, not the server.
    const MIN_GENERATOR_SHARE: f64 = 0.97;

    /// The servers whose growth is measured, unless others are named.
    const GROWING: [&str; 3] = ["floor", "pode", "axum"];

    pub(super) fn measure(arguments: impl Iterator<Item = String>) -> io::Result<()> {
        let plan = Plan::parse(arguments, 10, 2.0, &NAMES)?;
        let known = |name: &String| Workload::find(name).ok_or_else(|| io::Error::other(USAGE));
        let mut workloads = plan.names.iter().map(known).collect::<io::Result<Vec<_>>>()?;
        if workloads.is_empty() {
            workloads = WORKLOADS.into();
        }
        let cores = Cores::new()?;
        let mut rounds = saved(plan.share)?;
        rounds.retain(|round| !workloads.iter().any(|workload| workload.name == round.workload));
        for workload in &workloads {
            let idle = workload.kind == Kind::Idle;
            let count = if idle { plan.rounds.min(IDLE_ROUNDS) } else { plan.rounds };
            for number in 0..count {
                plan.take_turns(workload, number, &cores, 1, &mut rounds);
                save(&rounds)?;
            }
            println!("{}", table::markdown(workload, &rounds));
        }
        println!("The rounds are in {}", folder()?.join("rounds.jsonl").display());
        Ok(())
    }

    pub(super) fn growth(arguments: impl Iterator<Item = String>) -> io::Result<()> {
        let plan = Plan::parse(arguments, 5, 1.0, &GROWING)?;
        let named = |axis: &Axis| plan.names.iter().any(|name| name == axis.name());
        let axes: Vec<Axis> =
            AXES.into_iter().filter(|axis| plan.names.is_empty() || named(axis)).collect();
        if axes.len() < plan.names.len() {
            return Err(io::Error::other(USAGE));
        }
        let cores = Cores::new()?;
        let mut points = POINTS.to_vec();
        points.retain(|point| axes.contains(&point.axis) && point.cores <= cores.all.len());
        let mut rounds = saved(plan.share)?;
        rounds.retain(|round| !points.iter().any(|point| point.workload.name == round.workload));
        // Points are compared, too, so they take turns like servers.
        for number in 0..plan.rounds {
            for point in &points {
                plan.take_turns(&point.workload, number, &cores, point.cores, &mut rounds);
                save(&rounds)?;
            }
        }
        for axis in axes {
            println!("{}", growth::markdown(axis, &rounds));
        }
        Ok(())
    }

    pub(super) fn tables(arguments: impl Iterator<Item = String>) -> io::Result<()> {
        let plan = Plan::parse(arguments, 0, 0.0, &[])?;
        let known = |name: &String| {
            Workload::find(name).is_some() || AXES.iter().any(|axis| axis.name() == name)
        };
        if !plan.names.iter().all(known) {
            return Err(io::Error::other(USAGE));
        }
        let rounds = saved(plan.share)?;
        let asked = |name| plan.names.is_empty() || plan.names.iter().any(|asked| asked == name);
        let measured = |name| rounds.iter().any(|round| round.workload == name);
        for workload in WORKLOADS {
            if asked(workload.name) && measured(workload.name) {
                println!("{}", table::markdown(&workload, &rounds));
            }
        }
        for axis in AXES.into_iter().filter(|axis| asked(axis.name())) {
            println!("{}", growth::markdown(axis, &rounds));
        }
        Ok(())
    }

    pub(super) fn draw(arguments: impl Iterator<Item = String>) -> io::Result<()> {
        let folder = folder()?;
        let plan = Plan::parse(arguments, 0, 0.0, &[])?;
        let charts = draw::charts(&saved(plan.share)?);
        for chart in &charts {
            fs::write(folder.join(format!("{}.svg", chart.name)), &chart.svg)?;
        }
        let page = folder.join("rounds.html");
        fs::write(&page, draw::page(&charts))?;
        println!("open {}", page.display());
        Ok(())
    }

    /// The parsed arguments.
    struct Plan {
        /// The names of workloads or axes.
        names: Vec<String>,
        programs: Vec<Program>,
        rounds: usize,
        seconds: f64,
        share: f64,
    }

    impl Plan {
        /// Parses the arguments; the parameters are the defaults.
        fn parse(
            mut arguments: impl Iterator<Item = String>,
            mut rounds: usize,
            mut seconds: f64,
            servers: &[&str],
        ) -> io::Result<Plan> {
            let usage = || io::Error::other(USAGE);
            let mut names = Vec::new();
            let mut servers: Vec<String> = servers.iter().copied().map(str::to_owned).collect();
            let mut peers = false;
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
                    name if name.starts_with('-') => return Err(usage()),
                    name => names.push(name.to_owned()),
                }
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
            Ok(Plan { names, programs, rounds, seconds, share })
        }

        /// Runs each server once. The first server of one round is the last of the
        /// next.
        fn take_turns(
            &self,
            workload: &Workload,
            number: usize,
            cores: &Cores,
            server_cores: usize,
            rounds: &mut Vec<Round>,
        ) {
            let setting =
                Setting { seconds: self.seconds, server_cores: &cores.all[..server_cores] };
            let mut programs: Vec<&Program> =
                self.programs.iter().filter(|program| workload.includes(&program.name)).collect();
            let first = number % programs.len().max(1);
            programs.rotate_left(first);
            for program in programs {
                match measure_once(workload, program, setting) {
                    Ok(mut round) => {
                        round.round = number;
                        round.shared_core = server_cores == cores.all.len();
                        judge(&mut round, self.share);
                        rounds.push(round);
                    }
                    Err(error) => {
                        eprintln!("{}, round {number}, {}: {error}", workload.name, program.name);
                    }
                }
            }
        }
    }

    /// The cores that the command may use. Servers get the first ones, and the
    /// generator is pinned to the last.
    struct Cores {
        all: Vec<usize>,
    }

    impl Cores {
        fn new() -> io::Result<Cores> {
            raise_descriptor_limit()?;
            let all = cores()?;
            let [_, .., generator] = all[..] else {
                return Err(io::Error::other("this needs two cores: one serves, one listens"));
            };
            pin(&[generator])?;
            Ok(Cores { all })
        }
    }

    /// Drops a round whose generator had less than this share of its core.
    fn judge(round: &mut Round, share: f64) {
        round.dropped = !round.shared_core && round.generator_share < share;
    }

    /// Returns the folder of results, next to that of the build.
    fn folder() -> io::Result<PathBuf> {
        let program = env::current_exe()?;
        let target = program.ancestors().nth(2).ok_or(io::ErrorKind::NotFound)?;
        let folder = target.join("fanout");
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Reads the rounds of earlier measurements, and applies the share again.
    fn saved(share: f64) -> io::Result<Vec<Round>> {
        let text = match fs::read_to_string(folder()?.join("rounds.jsonl")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let round = |line| {
            let mut round: Round = serde_json::from_str(line)?;
            judge(&mut round, share);
            Ok(round)
        };
        text.lines().map(round).collect()
    }

    fn save(rounds: &[Round]) -> io::Result<()> {
        let lines = rounds.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        fs::write(folder()?.join("rounds.jsonl"), lines.join("\n") + "\n")
    }
}
