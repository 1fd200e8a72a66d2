import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Relative addresses, so that the built page works wherever it is put.
export default defineConfig({
  base: './',
  plugins: [react()],
  // The packages are linked, and have a React of their own for their tests.
  resolve: { dedupe: ['react', 'react-dom', 'socket.io-client', '@boardcast/client'] },
});
