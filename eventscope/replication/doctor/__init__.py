"""What is wrong with a source, and what mends it: one module for each thing to look at.

Nothing here changes anything. What keeps a program from starting is found by the same functions.
"""
