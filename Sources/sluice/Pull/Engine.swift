import Pull
import System

/// Runs an engine's further commands, which get no archive.
struct Engine {
  let work: PullWork
  let isInterrupted: () -> Bool

  /// How long a command may take to end that was told to: restic removes its lock then.
  private static let patience = Duration.seconds(300)

  /// Runs a command to its end.
  ///
  /// - Returns: the lines of its standard output.
  /// - Throws: a `Failure` with a line of its standard error.
  @discardableResult
  func run(_ command: [String], _ variables: ProgramVariables) throws -> [String] {
    let output = try work.makeFile("engine-output")
    let error = try work.makeFile("engine-error")
    let nothing = try FileSystem.openFile("/dev/null")
    let deadline = ContinuousClock.now + GuardedCommand.longestEnd
    let isLate = { ContinuousClock.now > deadline }
    let end: ChildProcess.End
    do throws(SystemError) {
      end = try ChildProcess.run(
        command[0], Array(command.dropFirst()),
        ChildProcess.Streams(input: nothing.rawValue, output: output.rawValue, error: error.rawValue),
        variables: variables.include, patience: Self.patience, isInterrupted: { isInterrupted() || isLate() })
    } catch {
      throw Failure(description: "\(command[0]) cannot be run: \(error)")
    }
    if isInterrupted() { throw PullInterruption() }
    guard end.isSuccess else {
      if isLate() { throw Failure(description: "\(command[0]): it \(GuardedCommand.tooLong), and was ended") }
      let said = BackupStore.fault(of: command[0], in: work.lines(of: "engine-error"))
      throw Failure(description: "\(command[0]): \(said ?? "\(end)")")
    }
    return work.lines(of: "engine-output")
  }
}
