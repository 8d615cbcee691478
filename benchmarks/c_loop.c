/* The plain C loop that collcast's is compared with: OSU's order of calls, nothing else.
 *
 *     mpicc -O2 -o c_loop c_loop.c && mpirun -n 2 ./c_loop all_reduce 8 10000
 *
 * Per iteration: start ; collective ; stop ; barrier. Prints the mean over ranks of the mean time
 * of one call in microseconds, which is OSU's "Avg Latency".
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  int rank, ranks;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  int exchange = !strcmp(argv[1], "all_to_all"), bytes = atoi(argv[2]), iterations = atoi(argv[3]);
  int skip = iterations / 10, per_peer = bytes / ranks;
  char *send, *receive;
  if (posix_memalign((void **)&send, 4096, (size_t)bytes) ||
      posix_memalign((void **)&receive, 4096, (size_t)bytes))
    return 1;
  memset(send, 1, (size_t)bytes);
  memset(receive, 0, (size_t)bytes);
  double sum = 0, mean;
  MPI_Barrier(MPI_COMM_WORLD);
  for (int i = 0; i < iterations + skip; i++) {
    double start = MPI_Wtime();
    if (exchange)
      MPI_Alltoall(send, per_peer, MPI_CHAR, receive, per_peer, MPI_CHAR, MPI_COMM_WORLD);
    else
      MPI_Allreduce(send, receive, bytes, MPI_CHAR, MPI_SUM, MPI_COMM_WORLD);
    double stop = MPI_Wtime();
    MPI_Barrier(MPI_COMM_WORLD);
    if (i >= skip)
      sum += stop - start;
  }
  sum = sum / iterations * 1e6 / ranks;
  MPI_Reduce(&sum, &mean, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
  if (rank == 0)
    printf("%.4f\n", mean);
  MPI_Finalize();
  return 0;
}
