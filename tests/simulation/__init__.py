"""The deterministic simulation: the real sender and journal over a virtual clock, a simulated disk, a simulated Omni.

clock.py     a loop whose time jumps, and whose order of events never depends on addresses in memory
disk.py      a disk that knows what was fsynced, and forgets the rest in a power cut
server.py    an Omni in memory: documents, lagging reads, late commits, strangers
transport.py the wire between the two: faults before and after the server has seen a request, and of what lies between
schedule.py  what one seed stands for: rows, settings, faults, edits of the input, crashes
world.py     one process after the other, over one disk and one server; records.py: what is written down of it
laws.py      what must hold of every life
life.py      lives through one schedule to its end
people.py    the other kind of life: a person edits the files between the runs; desk.py, forms.py: the input they keep;
             deeds.py: what they do to the three files; answers.py: what they answer to a refusal; people_laws.py
placed.py    the third kind: rows with folders and labels; places.py: those of the simulated Omni
kinds.py     the kinds of lives
product.py   the real program, plugged in
teeth.py     broken copies of the program, each of which the laws must catch

One seed: `python -m tests.simulation --seed 7 -v`. The long run: `python -m tests.simulation --seeds 100000 --jobs 2`.
"""
