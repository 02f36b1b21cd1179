# Reads edges, "FROM TO WHY..." a line, and prints those that lie on a circle; exit 1 when there is one. POSIX awk.
function reaches(a, b,    queue, seen, head, tail, k, ends, m) {
    queue[tail = 1] = a; seen[a] = 1
    for (head = 1; head <= tail; head++) {
        if (queue[head] == b) return 1
        m = split(next_of[queue[head]], ends, " ")
        for (k = 1; k <= m; k++)
            if (!(ends[k] in seen)) { seen[ends[k]] = 1; queue[++tail] = ends[k] }
    }
    return 0
}
$1 == $2 || (($1, $2) in known) { next }
{
    known[$1, $2] = 1
    n++
    from[n] = $1; to[n] = $2; why[n] = $3
    next_of[$1] = next_of[$1] " " $2
}
END {
    for (i = 1; i <= n; i++)
        if (reaches(to[i], from[i])) { print "a circle: " from[i] " -> " to[i] " (" why[i] ")"; bad = 1 }
    exit bad
}
