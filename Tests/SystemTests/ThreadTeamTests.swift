import Dispatch
import Glibc
import Synchronization
import Testing

@testable import System

@Suite(.timeLimit(.minutes(15)))
struct ThreadTeamTests {
  private final class Notes: Sendable {
    let threads = Lock<[UInt]>([])
    func add() { threads.withLock { $0.append(SystemCalls.currentThread()) } }
  }

  @Test(arguments: 1...4)
  func `works on all threads at once, its owner's among them`(count: Int) {
    let team = ThreadTeam(named: "team", count: count)
    for _ in 0..<100 {
      let notes = Notes()
      let all = DispatchSemaphore(value: 0)
      team.run {
        notes.add()
        // The last to come lets all of them go: a team that lacks one would wait for ever.
        if notes.threads.withLock({ $0.count }) == count { for _ in 0..<count { all.signal() } }
        all.wait()
      }
      let threads = notes.threads.withLock { $0 }
      #expect(Set(threads).count == count)
      #expect(threads.contains(SystemCalls.currentThread()))
    }
  }

  @Test func `returns when the last has returned`() {
    let team = ThreadTeam(named: "team", count: 4)
    for _ in 0..<200 {
      let work = Work()
      team.run { work.run() }
      #expect(work.done.load(ordering: .relaxed) == 1000)
    }
  }

  private final class Work: Sendable {
    let next = Atomic<Int>(0)
    let done = Atomic<Int>(0)
    func run() {
      while next.wrappingAdd(1, ordering: .relaxed).oldValue < 1000 {
        done.wrappingAdd(1, ordering: .relaxed)
      }
    }
  }

  @Test func `its threads end with it, and are as nice as its owner`() {
    let tasks = { (try? FileSystem.names(in: "/proc/self/task", limit: .max)) ?? [] }
    let names = { tasks().filter { Self.name(of: $0) == "team-end" }.count }
    do {
      let team = ThreadTeam(named: "team-end", count: 3)
      #expect(names() == 0, "none before there is work")
      let niceness = Niceness()
      team.run { niceness.add() }
      #expect(Set(niceness.all.withLock { $0 }).count == 1)
      #expect(names() == 2)
    }
    #expect(names() == 0)
  }

  private final class Niceness: Sendable {
    let all = Lock<[CInt]>([])
    func add() {
      let niceness = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
      all.withLock { $0.append(niceness) }
    }
  }

  private static func name(of task: BytePath) -> String {
    let path = BytePath("/proc/self/task").appending(task).appending("comm")
    let bytes = (try? FileSystem.openFile(path).read(atMost: 100)) ?? []
    return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
  }
}
