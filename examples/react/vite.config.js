import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Relative addresses, so that the built page works wherever it is put.
export default defineConfig({ base: './', plugins: [react()] });
