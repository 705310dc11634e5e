import Pull
import System

/// A command that gets an archive on its standard input and finds the end of it only if the archive is sound.
///
/// A guard starts it in a session of its own and has the pipe open for writing, too. If this process ends before it has
/// released the guard, however it ends, the guard kills the whole group: no program takes the end of this process for the end
/// of the archive. The program itself also ends with the guard, where setpriv(1) can see to that: so it does not matter which of
/// the two is killed first.
final class GuardedCommand {
  /// The command is `$@` after the name. It reads 5; 4 is what is written to it; 3 is how this process speaks to the guard.
  private static let script = """
    export SLUICE_NAME="$1"
    shift
    setpriv --pdeathsig KILL true 2>/dev/null && set -- setpriv --pdeathsig KILL "$@"
    "$@" <&5 5<&- 4>&- 3<&- &
    exec 5<&-
    read -r word <&3 || kill -s KILL 0
    exec 3<&- 4>&-
    wait "$!"
    """
  /// How long members of a group that was killed may take to be gone; in looks of 10 ms.
  private static let looks = 200

  let input: OutgoingPipe
  private let child: ChildProcess.Running
  private var control: Descriptor?
  /// Shows what the command has left unread.
  private var unread: Descriptor?
  /// When it is killed; nil before it was released.
  private var deadline: ContinuousClock.Instant?
  private var isKilled = false

  /// - Parameters:
  ///   - command: a program and its arguments.
  ///   - variables: that the command gets.
  ///   - name: of the archive; the command finds it as `SLUICE_NAME`.
  ///   - output: descriptor of its standard output and error.
  init(_ command: [String], _ variables: ProgramVariables, name: String, output: CInt) throws(SystemError) {
    let data = try SystemCalls.pipe()
    let reading = Descriptor(owning: data[0])
    let writing = Descriptor(owning: data[1])
    let ends = try SystemCalls.pipe()
    let released = Descriptor(owning: ends[0])
    let control = Descriptor(owning: ends[1])
    var streams = ChildProcess.Streams(output: output, error: output)
    let nothing = try FileSystem.openFile("/dev/null")
    streams.input = nothing.rawValue
    streams.others = [(released.rawValue, 3), (writing.rawValue, 4), (reading.rawValue, 5)]
    child = try ChildProcess.Running(
      "/bin/sh", ["-c", Self.script, "sluice-pull", name] + command, streams,
      variables: variables.include, leads: true)
    input = try OutgoingPipe(owning: writing)
    self.control = consume control
  }

  /// Lets the command find the end of its input: the archive is sound, and all of it was written. Of a pipe with a fault, it was
  /// not: the command finds no end.
  func release() {
    deadline = .now + (input.fault == nil ? Self.longestEnd : Self.patience)
    guard input.fault == nil else { return leave() }
    // A reader of our own, after the last byte: a pipe without one takes none.
    if let writing = input.rawValue {
      unread = try? FileSystem.openFile(BytePath("/proc/self/fd/\(writing)"))
    }
    leave()
    input.close()
  }

  private func leave() {
    if let control = control?.rawValue { try? SystemCalls.writeAll([UInt8(ascii: "\n")], to: control) }
    control = nil
  }

  /// How long a command may go on that reads nothing any more.
  private static let patience = Duration.seconds(10)
  /// How long one may go on that has everything: rclone uploads only then to some remotes. So long may a pull of the unit last
  /// in all, `TimeoutStartSec=`; so long, too, an engine's further command and a drill of one place.
  static let longestEnd = Duration.seconds(12 * 3600)
  static let tooLong = "did not end within 12 hours"

  /// How a command ended that was released.
  enum Outcome {
    case ended(ChildProcess.End, hasLeftSome: Bool)
    /// It reads nothing any more, or has everything, does not end, and was killed.
    case killed
  }

  /// Nil while it may go on.
  func outcome() throws -> Outcome? {
    if isKilled { return .killed }
    if let end = try child.end() {
      guard let rest = unread?.rawValue else { return .ended(end, hasLeftSome: false) }
      return .ended(end, hasLeftSome: try SystemCalls.readSome(rest, 1)?.isEmpty == false)
    }
    guard let deadline, ContinuousClock.now > deadline else { return nil }
    kill()
    return .killed
  }

  /// Ends it and all that it has started, before it finds the end of its input.
  func kill() {
    isKilled = true
    child.killGroup()
    for _ in 0..<Self.looks {
      _ = try? child.end()
      guard child.hasGroup else { break }
      FileSystem.pause()
    }
    control = nil
    input.close()
  }

  deinit { if control != nil { kill() } }
}
