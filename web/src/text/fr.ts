// Tous les mots de la page, en français.
import type { Words } from './en';

export const fr: Words = {
  app: {
    name: 'Lanthorn',
    loading: 'Chargement…',
    skip: 'Aller au contenu',
    sections: 'Rubriques',
    noJavaScript: 'Lanthorn a besoin de JavaScript, que ce navigateur a désactivé.',
  },
  common: {
    cancel: 'Annuler',
    close: 'Fermer',
    clear: 'Effacer',
    copied: 'Copié',
    copyFailed: 'Le navigateur n’a pas permis la copie. Sélectionnez le texte et copiez-le vous-même.',
    more: 'Plus',
    retry: 'Réessayer',
    done: 'Terminé',
    save: 'Enregistrer',
    dismiss: 'Fermer le message',
    machineOnline: 'en ligne',
    machineOffline: 'hors ligne',
  },
  nav: {
    files: 'Fichiers',
    settings: 'Réglages',
    machines: 'Machines',
    back: 'Précédent',
    forward: 'Suivant',
    thisMachine: 'cette machine',
    lookOnly: 'Consultation et téléchargement seulement',
  },
  missing: {
    title: 'Cette page n’existe pas',
    text: 'L’adresse est peut-être mal saisie, ou ce qu’elle désignait a disparu.',
    home: 'Aller aux fichiers',
  },
  failure: {
    title: 'Cela n’a pas fonctionné',
    unreachable: 'Cette machine ne répond pas.',
    unreachableHint: 'Vérifiez que Lanthorn tourne et que vous êtes sur le même réseau.',
    unknown: (code) => `Une erreur est survenue (${code}).`,
    request: (id) => `Requête ${id}`,
  },
};
