/// The deadlines of everything that waits, the earliest first: a binary heap whose elements know their places,
/// so that one which is met leaves at once instead of piling up until its time comes.
@Loop struct DeadlineHeap {
  private var heap: [Waiter] = []

  /// The time to the first deadline as `epoll_wait` takes it: whole milliseconds, rounded up; -1 for ever.
  func millisecondsToFirst() -> CInt {
    guard let first = heap.first?.deadline else { return -1 }
    let left = ContinuousClock.now.duration(to: first)
    guard left > .zero else { return 0 }
    let (seconds, attoseconds) = left.components
    guard seconds < 86_400 else { return 86_400_000 }
    return CInt(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }

  /// Removes and answers the first waiter whose deadline has passed at `instant`.
  mutating func popFirst(before instant: ContinuousClock.Instant) -> Waiter? {
    guard let first = heap.first, let deadline = first.deadline, deadline <= instant else { return nil }
    remove(first)
    return first
  }

  mutating func insert(_ waiter: Waiter) {
    waiter.heapIndex = heap.count
    heap.append(waiter)
    siftUp(waiter.heapIndex)
  }

  mutating func remove(_ waiter: Waiter) {
    let index = waiter.heapIndex
    guard index >= 0 else { return }
    waiter.heapIndex = -1
    let last = heap.removeLast()
    guard last !== waiter else { return }
    place(last, at: index)
    siftDown(index)
    siftUp(last.heapIndex)
  }

  private mutating func place(_ waiter: Waiter, at index: Int) {
    heap[index] = waiter
    waiter.heapIndex = index
  }

  private func isBefore(_ left: Int, _ right: Int) -> Bool {
    guard let left = heap[left].deadline, let right = heap[right].deadline else { return false }
    return left < right
  }

  private mutating func exchange(_ left: Int, _ right: Int) {
    let waiter = heap[left]
    place(heap[right], at: left)
    place(waiter, at: right)
  }

  private mutating func siftUp(_ start: Int) {
    var index = start
    while index > 0, isBefore(index, (index - 1) / 2) {
      exchange(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private mutating func siftDown(_ start: Int) {
    var index = start
    while true {
      var first = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count && isBefore(child, first) {
        first = child
      }
      guard first != index else { return }
      exchange(index, first)
      index = first
    }
  }
}
