import ArgumentParser
import Glibc
import Pull
import Restore
import SQLiteSnapshot
import Service
import System

/// `sluice drill`: restores the newest backup from where it is kept, and looks into it.
struct DrillCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drill",
    abstract: "Restore the newest backup from where it is kept, and compare it with the last drill.",
    usage: """
      sluice drill <pull> [<options>]
      sluice drill --from <source> [<options>]
      """,
    discussion: """
      The newest backup is read from a directory, or through restic, borg or rclone, verified and restored into a \
      private directory inside the spool directory, which is removed at the end. SQLite checks every database \
      (quick_check) and counts the rows of every table.

      PULL is the name of a pull that sluice setup --pull has set up: the newest of its backups is read from each place \
      where it keeps them, and the results are remembered beside them. Variables for restic and the like come from the pull's settings, too. \
      sluice pull --drill does the same by itself.

      --state FILE remembers the result. At the next drill, a table or a database that is gone, a table that has lost \
      all rows, and one that has lost more than --max-loss of its rows or bytes is a change: the line says so, and the \
      exit status is 3. That is no damage. A drill that fails leaves the numbers of the last good one.

      --check SQL is one statement that only reads. It passes if it returns a row, and no row has NULL, 0 or an empty \
      text in its first column. It runs on each database that has what it names, and must run on one. An error while it \
      runs fails it. PATH=SQL runs on the database PATH alone. What needs the application's own functions or collations is not counted, and the line \
      says so.

      EXAMPLES
        sluice drill --from /srv/backups --state drill.json

        # Of sluice-pull@app.
        sudo sluice drill app

        # A database must have a table.
        sluice drill --from /srv/backups \\
          --check 'events.db=SELECT count(*) FROM sqlite_schema'

      EXIT STATUS
        0   restored, sound, nothing lost, every check passed
        1   damaged, not restored, a check did not pass, or
            the file of --state cannot be read
        3   sound, but something was lost since the last drill,
            or skipped when the backup was made
        64  the command line is wrong
      """)

  @Argument(help: ArgumentHelp("A pull of this machine, in place of --from.", valueName: "pull"))
  var pull: String?

  @OptionGroup var source: SourceArguments

  @Option(
    help: ArgumentHelp(
      "File that remembers the result, to compare with at the next drill.", valueName: "file"),
    completion: .file())
  var state: String?

  @Option(
    help: ArgumentHelp("Write metrics for node_exporter's textfile collector.", valueName: "file.prom"),
    completion: .file())
  var textfile: String?

  @Option(help: ArgumentHelp("A statement that must find something; may be repeated.", valueName: "sql"))
  var check: [String] = []

  @Option(
    help: ArgumentHelp(
      "How much of a table or a database may go before that is a change.", valueName: "share"))
  var maxLoss = Share(tenThousandths: 5000, defaultValueDescription: "50%")

  @Option(help: ArgumentHelp("How long SQLite may check one database, and count it.", valueName: "time"))
  var checkTimeout = TimeSpan.hours(1)

  func validate() throws {
    guard (source.from == nil) != (pull == nil) else {
      throw ValidationError(
        pull == nil
          ? "--from: give a directory, restic:REPO, borg:REPO or rclone:REMOTE:PATH, or the name of a pull"
          : "--from: give it, or the name of a pull, not both")
    }
    guard pull.map(PullCommand.isName) ?? true else {
      throw ValidationError("\(pull ?? ""): give a name of letters, digits and ._-, such as app")
    }
    guard pull == nil || source.name == KeepCommand.defaultName else {
      throw ValidationError("--name: give it with --from; a pull has a name of its own")
    }
    guard state?.isEmpty != true else { throw ValidationError("--state: give a file") }
    guard textfile?.hasSuffix(Textfile.ending) ?? true else {
      throw ValidationError(
        "--textfile: the name must end in \(Textfile.ending), or node_exporter does not read it")
    }
  }

  func run() throws {
    let isInterrupted = holdSignals()
    umask(0o077)
    raiseDescriptorLimit()
    let places: [DrillPlace]
    do { places = try self.places(isInterrupted) } catch {
      Self.tellOfRefusal(error, Array(CommandLine.arguments.dropFirst(2)))
      throw error
    }
    var codes: Set<Int32> = []
    for place in places {
      if places.count > 1 { put("\(printable(place.source.shown)):\n", STDOUT_FILENO) }
      do { codes.insert(try drill(place)) } catch let failure as Failure where places.count > 1 {
        if isInterrupted() { throw failure }
        printError("sluice: \(printable("\(place.source.shown): \(failure)"))")
        codes.insert(EXIT_FAILURE)
      }
    }
    if let worst = [EXIT_FAILURE, Self.changed].first(where: codes.contains) { throw ExitCode(worst) }
  }

  /// Something was lost or skipped.
  private static let changed: Int32 = 3

  /// Restores from one place, and tells how that ended, but for an interruption.
  ///
  /// - Returns: the exit status.
  /// - Throws: a `Failure`.
  private func drill(_ place: DrillPlace) throws -> Int32 {
    do {
      let hasChanged = try look(at: place)
      place.tell(hasChanged ? Self.changed : EXIT_SUCCESS)
      return hasChanged ? Self.changed : EXIT_SUCCESS
    } catch {
      if !place.source.isInterrupted() { place.tell(EXIT_FAILURE) }
      throw error
    }
  }

  /// - Returns: whether something was lost or skipped.
  private func look(at place: DrillPlace) throws -> Bool {
    var before: DrillRecord?
    if let state = place.state {
      do { before = try DrillRecord.read(state) } catch {
        throw Failure(
          description:
            "--state \(state): \(error): a loss could not be seen; a drill without this file begins again"
        )
      }
    }
    var run = DrillRun(
      source: place.source, at: source.at?.value, checks: check, share: maxLoss.value,
      timeLimit: checkTimeout.value, before: before, isInterrupted: place.source.isInterrupted)
    var failure: Failure?
    do { try run.run() } catch let error as Failure { failure = error }
    // Nothing was found.
    if place.source.isInterrupted() { throw failure ?? Failure(description: "interrupted") }
    if let state = place.state {
      do { try run.record(failure?.description).write(state) } catch {
        throw Failure(description: "--state \(state): \(error)")
      }
    }
    if let failure { throw failure }
    return !run.changes.isEmpty
  }

  /// Where the backups are, and the results of the drills before.
  private func places(_ isInterrupted: @escaping @Sendable () -> Bool) throws -> [DrillPlace] {
    guard let pull else {
      return source.source(isInterrupted: isInterrupted).map {
        [DrillPlace($0, state: state, textfile: textfile, number: 1)]
      } ?? []
    }
    let unit = PullUnit(instance: pull)
    guard let command = try unit.command() else {
      throw Failure(
        description:
          "\(unit.settingsPath): there are no settings of a pull, or none that this user can read; see sluice setup --pull"
      )
    }
    guard !command.backupSources.isEmpty else {
      throw Failure(description: "\(pull): what only a command of --to has cannot be read back")
    }
    // restic and the like have them from the unit; what the administrator has set counts before.
    for (name, value) in unit.programVariables { unsafe setenv(name, value, 0) }
    let directory = command.into ?? unit.stateDirectory.lossyString
    return zip(1..., command.backupSources).compactMap { number, from in
      var arguments = source
      arguments.from = from
      arguments.name = command.name
      return arguments.source(isInterrupted: isInterrupted).map {
        DrillPlace(
          $0, state: state ?? "\(directory)/\(DrillRecord.name(of: command.name))",
          textfile: textfile ?? command.drillTextfile, number: number)
      }
    }
  }

  /// Tells that no drill has begun, for what is wrong with the command line or with the settings of the pull.
  ///
  /// - Parameter words: of the command line, behind `drill`.
  static func tellOfRefusal(_ error: any Error, _ words: [String]) {
    guard let path = words.values(of: "--textfile").last, path.hasSuffix(Textfile.ending) else { return }
    let pull = words.first.flatMap { PullCommand.isName($0) ? $0 : nil }
    DrillPlace.tell(
      Sluice.exitCode(for: error).rawValue, path,
      series: words.values(of: "--name").last ?? pull ?? KeepCommand.defaultName)
  }
}

/// A part of a whole on the command line: `50%`.
struct Share: ExpressibleByArgument {
  /// From 0 to 1.
  let value: Double
  /// As it was written.
  let defaultValueDescription: String

  init(tenThousandths: Int, defaultValueDescription: String) {
    value = Double(tenThousandths) / 10_000
    self.defaultValueDescription = defaultValueDescription
  }

  init?(argument: String) {
    guard let share = Quantity.share(argument) else { return nil }
    self.init(tenThousandths: Int(share), defaultValueDescription: argument)
  }
}
