# The picture of bench/figure8.c: efficiency against what a node has to remember, S = 30, and S = 10
# and 100 beside it. Called as  gnuplot -e "table='FILE'; picture='FILE'" bench/figure8.gnuplot
set terminal svg size 960,460 font "sans-serif,12" background rgb "white"
set output picture
set multiplot layout 1,2
set logscale x 2
set xrange [128:512000]
set xtics ("256 B" 256, "1 KiB" 1024, "4 KiB" 4096, "16 KiB" 16384, "64 KiB" 65536, "256 KiB" 262144)
set xlabel "what each node remembers"
set ylabel "load of the average node over that of the busiest"
set yrange [0:1.05]
set ytics 0.1
set grid
set key bottom right samplen 2

one = "#b03030"
two = "#d09010"
fine = "#508030"
three = "#2050b0"

set title "S = 30, N = 3"
plot table index 0 using 5:6 with linespoints lw 4 lc rgb one pt 7 ps 0.7 title "1: random positions", \
     table index 1 using 5:6 with linespoints lc rgb two pt 9 ps 0.8 title "2: Q = S T", \
     table index 2 using 5:6 with linespoints lc rgb fine pt 11 ps 0.6 title "2: Q = 8 S T", \
     table index 3 using 5:6 with linespoints lw 2 lc rgb three pt 5 ps 0.6 title "3: planned (Gramme)"

set title "S = 10 (thin), S = 100 (thick)"
plot table index 4 using 5:6 with lines lw 1 lc rgb one title "1", \
     table index 5 using 5:6 with lines lw 1 lc rgb two title "2: Q = S T", \
     table index 7 using 5:6 with lines lw 1 lc rgb three title "3", \
     table index 8 using 5:6 with lines lw 4 lc rgb one notitle, \
     table index 9 using 5:6 with lines lw 3 lc rgb two notitle, \
     table index 11 using 5:6 with lines lw 3 lc rgb three notitle
